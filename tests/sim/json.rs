//! A small strict JSON reader that keeps the text of every value.
//!
//! The library under test reads JSON with serde; the model reads it with this, so that the two cannot share a mistake.
//! Numbers stay text: an `i64`, a `u64` and a 40-digit total all keep every digit.

/// One JSON value with the text it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Json {
    pub raw: String,
    pub kind: Kind,
}

/// What a value is. Numbers are kept as written, objects in the order of their keys in the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Null,
    Bool(bool),
    Num(String),
    Str(String),
    Arr(Vec<Json>),
    Obj(Vec<(String, Json)>),
}

impl Json {
    /// The member of an object, or an error that names it.
    pub fn get(&self, key: &str) -> Result<&Json, String> {
        self.find(key).ok_or_else(|| format!("no key {key:?} in {}", self.raw))
    }

    /// The member of an object, if there is one.
    pub fn find(&self, key: &str) -> Option<&Json> {
        match &self.kind {
            Kind::Obj(members) => members.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    pub fn text(&self) -> Result<&str, String> {
        match &self.kind {
            Kind::Str(s) => Ok(s),
            _ => Err(format!("expected a string, found {}", self.raw)),
        }
    }

    pub fn items(&self) -> Result<&[Json], String> {
        match &self.kind {
            Kind::Arr(items) => Ok(items),
            _ => Err(format!("expected an array, found {}", self.raw)),
        }
    }

    pub fn truth(&self) -> Result<bool, String> {
        match self.kind {
            Kind::Bool(b) => Ok(b),
            _ => Err(format!("expected true or false, found {}", self.raw)),
        }
    }

    /// An integer without fraction or exponent.
    pub fn integer(&self) -> Result<i128, String> {
        match &self.kind {
            Kind::Num(n) => n.parse().map_err(|_| format!("not an integer: {n}")),
            _ => Err(format!("expected an integer, found {}", self.raw)),
        }
    }
}

/// Reads one JSON text to its end.
pub fn parse(text: &str) -> Result<Json, String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value()?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.fail("text after the value"));
    }
    Ok(value)
}

/// The identity of a set element: equal for equal JSON, whatever the spacing, key order, escapes and number form.
pub fn canonical(value: &Json) -> String {
    match &value.kind {
        Kind::Null => "null".into(),
        Kind::Bool(b) => b.to_string(),
        Kind::Num(n) => canonical_number(n),
        Kind::Str(s) => format!("{s:?}"),
        Kind::Arr(items) => {
            let parts: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", parts.join(","))
        }
        Kind::Obj(members) => {
            let mut parts: Vec<_> = members.iter().map(|(k, v)| (k.clone(), canonical(v))).collect();
            parts.sort();
            let parts: Vec<_> = parts.iter().map(|(k, v)| format!("{k:?}:{v}")).collect();
            format!("{{{}}}", parts.join(","))
        }
    }
}

/// 1, 1.0 and 10e-1 are one number; integers keep all their digits.
fn canonical_number(n: &str) -> String {
    if let Ok(i) = n.parse::<i128>() {
        return i.to_string();
    }
    match n.parse::<f64>() {
        Ok(f) if f.fract() == 0.0 && f.abs() < 9.0e18 => (f as i64).to_string(),
        Ok(f) => format!("{f:e}"),
        Err(_) => n.to_string(),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn fail(&self, what: &str) -> String {
        format!("{what} at byte {} of {}", self.at, self.text)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }

    fn value(&mut self) -> Result<Json, String> {
        self.space();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.object()?,
            Some(b'[') => self.array()?,
            Some(b'"') => Kind::Str(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Json { raw: self.text[start..self.at].to_string(), kind })
    }

    fn word(&mut self) -> Result<Kind, String> {
        for (word, kind) in [("null", Kind::Null), ("true", Kind::Bool(true)), ("false", Kind::Bool(false))] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        Err(self.fail("no value"))
    }

    fn number(&mut self) -> Result<Kind, String> {
        let start = self.at;
        self.eat(b'-');
        let whole = self.digits();
        let zero_led = whole > 1 && self.text[self.at - whole..].starts_with('0');
        let mut good = whole > 0 && !zero_led;
        if self.eat(b'.') {
            good &= self.digits() > 0;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            good &= self.digits() > 0;
        }
        if !good {
            return Err(self.fail("bad number"));
        }
        Ok(Kind::Num(self.text[start..self.at].to_string()))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn array(&mut self) -> Result<Kind, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Kind::Arr(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if self.eat(b']') {
                return Ok(Kind::Arr(items));
            }
            if !self.eat(b',') {
                return Err(self.fail("expected , or ]"));
            }
        }
    }

    fn object(&mut self) -> Result<Kind, String> {
        self.at += 1;
        let mut members = Vec::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Kind::Obj(members));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            if !self.eat(b':') {
                return Err(self.fail("expected :"));
            }
            members.push((key, self.value()?));
            self.space();
            if self.eat(b'}') {
                return Ok(Kind::Obj(members));
            }
            if !self.eat(b',') {
                return Err(self.fail("expected , or }"));
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        if !self.eat(b'"') {
            return Err(self.fail("expected a string"));
        }
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let c = rest.chars().next().ok_or_else(|| self.fail("open string"))?;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                c if c < ' ' => return Err(self.fail("control character")),
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let byte = self.peek().ok_or_else(|| self.fail("open escape"))?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => byte as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex4()?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    if !(self.eat(b'\\') && self.eat(b'u')) {
                        return Err(self.fail("lone surrogate"));
                    }
                    let second = self.hex4()?;
                    0x10000 + ((first - 0xd800) << 10) + second.wrapping_sub(0xdc00)
                } else {
                    first
                };
                char::from_u32(code).ok_or_else(|| self.fail("lone surrogate"))?
            }
            _ => return Err(self.fail("unknown escape")),
        })
    }

    fn hex4(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at..self.at + 4);
        let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        self.at += 4;
        code.ok_or_else(|| self.fail("bad \\u escape"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canon(text: &str) -> String {
        canonical(&parse(text).unwrap())
    }

    #[test]
    fn equal_json_has_one_canonical_form() {
        assert_eq!(canon("1.0"), canon("1"));
        assert_eq!(canon("1e2"), canon("100"));
        assert_eq!(canon(r#"{"b":1,"a":[ 2 ]}"#), canon(r#"{"a":[2.0],"b":1}"#));
        assert_eq!(canon(r#""\u00e9\/""#), canon("\"é/\""));
        assert_ne!(canon("9223372036854775807"), canon("9223372036854775806"));
        assert_ne!(canon("\"1\""), canon("1"));
    }

    #[test]
    fn raw_text_of_members_is_kept() {
        let object = parse(r#" {"a": [1.50, {"x":"\ud83d\ude00"}] } "#).unwrap();
        assert_eq!(object.get("a").unwrap().raw, r#"[1.50, {"x":"\ud83d\ude00"}]"#);
        let inner = &object.get("a").unwrap().items().unwrap()[1];
        assert_eq!(inner.get("x").unwrap().text(), Ok("😀"));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in ["", "01", "1.", "[1,]", "{a:1}", "\"\\ud800\"", "nul", "1 2", "\"\n\"", "-"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
