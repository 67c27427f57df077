//! Whether a text is one SQL expression over a row's own columns, and nothing else. Pure: what it means is SQLite's to say.

use crate::error::{excerpt, Error, Result};

/// Longest expression, bytes.
const MAX_BYTES: usize = 16 * 1024;

/// Date functions: what they give may depend on the clock.
const DATES: [&str; 7] = ["date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"];

/// A piece of SQL.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    /// A name or keyword, in lower case.
    Word(String),
    /// A name in quotes of its own.
    Name(String),
    /// A string literal's text.
    Text(String),
    /// Any other sign.
    Sign(char),
    /// A number.
    Number,
}

/// Checks that `text` is one expression without sub-selects, parameters, comments and the clock. The names in it that must
/// be columns: those in quotes, as SQLite would take a misspelt one for a string, and those that may mean the rowid.
///
/// # Errors
/// It is not: what is in the way.
pub fn check(text: &str) -> Result<Vec<String>> {
    if text.len() > MAX_BYTES {
        return Err(Error::caller(format!("the expression has {} bytes; at most {MAX_BYTES} are taken", text.len())));
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Err(Error::caller("the expression is empty; NULL lifts a filter"));
    }
    check_frame(&tokens)?;
    check_words(&tokens)?;
    let name = |token| match token {
        Token::Name(name) => Some(name),
        Token::Word(word) if matches!(word.as_str(), "rowid" | "_rowid_" | "oid") => Some(word),
        _ => None,
    };
    Ok(tokens.into_iter().filter_map(name).collect())
}

fn bad(what: &str) -> Error {
    Error::caller(format!("the expression holds {what}; it is one SQL expression over the row's own columns"))
}

fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut rest = text.chars().peekable();
    let mut all = Vec::new();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        match c {
            '\'' => all.push(Token::Text(quoted(&mut rest, c)?)),
            '"' | '`' => all.push(Token::Name(quoted(&mut rest, c)?)),
            '[' => {
                // A bracket cannot be doubled.
                let mut name = String::new();
                loop {
                    match rest.next() {
                        Some(']') => break,
                        Some(c) => name.push(c),
                        None => return Err(bad("a quote that is not closed")),
                    }
                }
                all.push(Token::Name(name));
            }
            '-' if next == Some('-') => return Err(bad("a comment")),
            '/' if next == Some('*') => return Err(bad("a comment")),
            ';' => return Err(bad("';'")),
            '?' | ':' | '@' | '$' | '#' => return Err(bad("a parameter")),
            '\0' => return Err(bad("U+0000")),
            c if c.is_ascii_whitespace() => {}
            c if is_word(c) => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| is_word(*c) || *c == '$') {
                    word.push(c);
                }
                let digit = c.is_ascii_digit();
                all.push(if digit { Token::Number } else { Token::Word(word.to_ascii_lowercase()) });
            }
            c => all.push(Token::Sign(c)),
        }
    }
    Ok(all)
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric() || !c.is_ascii()
}

/// The text up to the closing quote, a doubled one standing for itself.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, quote: char) -> Result<String> {
    let mut out = String::new();
    while let Some(c) = rest.next() {
        if c == quote && rest.next_if_eq(&quote).is_none() {
            return Ok(out);
        }
        out.push(c);
    }
    Err(bad("a quote that is not closed"))
}

/// Parentheses close what they opened, and nothing stands beside the expression.
fn check_frame(tokens: &[Token]) -> Result<()> {
    let mut depth = 0usize;
    for token in tokens {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.checked_sub(1).ok_or_else(|| bad("a parenthesis too many"))?,
            Token::Sign(',') if depth == 0 => return Err(bad("more than one expression")),
            _ => {}
        }
    }
    if depth > 0 {
        return Err(bad("a parenthesis that is not closed"));
    }
    Ok(())
}

fn check_words(tokens: &[Token]) -> Result<()> {
    let is_call =
        |pair: &[Token]| matches!(pair, [Token::Word(word), Token::Sign('(')] if DATES.contains(&word.as_str()));
    let dates = tokens.windows(2).any(is_call);
    // Without a time they mean the present one.
    let few = |word: &str, i: usize| {
        arguments(tokens.get(i + 1..).unwrap_or_default()) < if word == "strftime" { 2 } else { 1 }
    };
    for (i, token) in tokens.iter().enumerate() {
        let next = tokens.get(i + 1);
        match token {
            Token::Word(word) if matches!(word.as_str(), "select" | "values" | "with" | "raise") => {
                return Err(bad(&format!("{}: sub-selects are not taken", word.to_ascii_uppercase())));
            }
            Token::Word(word) if word == "in" && next != Some(&Token::Sign('(')) => {
                return Err(bad("IN before something else than a list in parentheses"));
            }
            Token::Word(word) if matches!(word.as_str(), "current_date" | "current_time" | "current_timestamp") => {
                return Err(clock(word));
            }
            Token::Word(word) if DATES.contains(&word.as_str()) && next == Some(&Token::Sign('(')) && few(word, i) => {
                return Err(clock(word));
            }
            // As the time itself, not a modifier of one.
            Token::Text(text)
                if dates
                    && matches!(text.trim().to_ascii_lowercase().as_str(), "subsec" | "subsecond")
                    && is_time(tokens.get(..i).unwrap_or_default()) =>
            {
                return Err(clock(text));
            }
            Token::Text(text) if dates && matches!(text.trim().to_ascii_lowercase().as_str(), "now" | "localtime") => {
                return Err(clock(text));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether what follows on these is the time that a date function is asked about.
fn is_time(before: &[Token]) -> bool {
    match before {
        [.., Token::Word(word), Token::Sign('(')] => DATES.contains(&word.as_str()),
        [.., Token::Word(word), Token::Sign('('), Token::Text(_), Token::Sign(',')] => word == "strftime",
        _ => false,
    }
}

fn clock(what: &str) -> Error {
    bad(&format!("'{}': its value changes by itself, and nothing would tell of rows that leave by it", excerpt(what)))
}

/// The number of arguments of a call that begins with its parenthesis.
fn arguments(call: &[Token]) -> usize {
    let (mut depth, mut commas, mut any) = (0usize, 0, false);
    for token in call {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.saturating_sub(1),
            Token::Sign(',') if depth == 1 => commas += 1,
            _ => any = true,
        }
        if depth == 0 {
            break;
        }
    }
    if any {
        commas + 1
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_taken() {
        for good in [
            "owner = 'ann'",
            "(a = 1) OR (b IN (1, 2))",
            "title LIKE '%;--(%' AND x <> 'it''s'",
            "\"odd name\" > 3 AND [an other] IS NOT NULL AND `third` = x'00'",
            "json_extract(meta, '$.owner') = 'ann'",
            "date(made) > '2024-01-01' AND strftime('%Y', made) = '2024'",
            "done",
            "label = 'now'",
            "current_owner = 'ann' AND time = 'now'",
            "date(made, 'subsec') > 'x' AND label = 'subsec' AND strftime('%s', made, 'subsec') > 1",
            "größe > 1e3 AND a - -1 > 0",
        ] {
            assert!(check(good).is_ok(), "{good}: {:?}", check(good));
        }
        assert_eq!(check("\"a\" = 'b' AND \"c\"\"d\" + [e] + `f` + OID").unwrap(), ["a", "c\"d", "e", "f", "oid"]);
    }

    #[test]
    fn all_else_is_refused() {
        for bad in [
            "",
            " ",
            "1; DROP TABLE x",
            "until > unixepoch('subsec')",
            "until > strftime('%s', 'SubSecond')",
            "1) OR (1",
            "(1",
            "1)",
            "1, 2",
            "1 -- x",
            "1 /* x */",
            "'open",
            "\"open",
            "[open",
            "a = ?1",
            "a = :x",
            "a = @x",
            "a = $x",
            "a IN (SELECT 1)",
            "EXISTS (SELECT 1)",
            "a IN other",
            "a IN main.other",
            "(VALUES (1))",
            "made > date('now')",
            "made > date()",
            "made > strftime('%s')",
            "a < CURRENT_TIMESTAMP",
            "made > datetime(a, ' LocalTime')",
            "a = '\0' OR \0",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check(&"a OR ".repeat(10_000)).is_err());
    }
}
