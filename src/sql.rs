//! SQL text: templates from `sql/`, and the one writer that fills them. Names and literals are always quoted here.

/// The tables that are made once in a database.
pub const SCHEMA: &str = include_str!("../sql/schema.sql");
/// The triggers of one enabled table, in named sections.
pub const TRIGGERS: &str = include_str!("../sql/triggers.sql");
/// The readable view of one enabled table and the one that all of these read, in named sections.
pub const VIEW: &str = include_str!("../sql/view.sql");

/// `name` as an SQL identifier.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as an SQL string literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `{key}` in `template` replaced by each value. A key that is not given stays as it is.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let found = values.iter().find_map(|(key, value)| {
            let tail = after.strip_prefix(key)?.strip_prefix('}')?;
            Some((*value, tail))
        });
        rest = match found {
            Some((value, tail)) => {
                out.push_str(value);
                tail
            }
            None => {
                out.push('{');
                after
            }
        };
    }
    out.push_str(rest);
    out
}

/// The section of a template file that starts with the line `-- section: name`.
pub fn section<'a>(file: &'a str, name: &str) -> &'a str {
    let mark = format!("-- section: {name}\n");
    let body = file.split_once(mark.as_str()).map_or("", |(_, body)| body);
    body.split("-- section: ").next().unwrap_or(body).trim_end()
}

/// The first statement of a script.
pub fn first(script: &str) -> &str {
    script.split_once(";\n").map_or(script, |(first, _)| first)
}

/// `items` with `,` between them.
pub fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_literals_cannot_break_out() {
        assert_eq!(ident(r#"a"b"#), r#""a""b""#);
        assert_eq!(literal("it's"), "'it''s'");
    }

    #[test]
    fn a_value_is_never_filled_itself() {
        assert_eq!(fill("{a} {b} {c}", &[("a", "{b}"), ("b", "x")]), "{b} x {c}");
    }

    #[test]
    fn every_section_of_the_triggers_is_there() {
        for name in ["insert", "update", "parts", "key", "delete", "suspect", "moved", "stood"] {
            assert!(section(TRIGGERS, name).starts_with("CREATE TRIGGER"), "{name}");
        }
        assert!(section(TRIGGERS, "shared view").starts_with("CREATE VIEW"));
    }
}
