//! What a cursor says of filters: which it was made under, and what its peer may still hold from others. Pure.
//!
//! ```text
//! trail = [m] filter-filter-… or 0, _s<scope>, then for each debt: _f<filter>-<log row> or _n<table>-<log row>
//! ```
//! Debts stay: a peer may refuse to let go of what it wrote, and has to be told again when that has come.

/// What a peer may hold and has not been told of since.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Debt {
    /// Of what.
    pub of: Of,
    /// The log row up to which the peer had been sent it.
    pub upto: i64,
}

/// What was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    /// What was inside this filter.
    Filter(i64),
    /// All records of this table.
    Table(i64),
}

/// The filters' part of a cursor.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trail {
    /// It was made where membership could not be written.
    pub memory: bool,
    /// The filters' names.
    pub filters: Vec<String>,
    /// A hash of the tables and lists that it was made for.
    pub scope: String,
    /// What may still have to be told.
    pub debts: Vec<Debt>,
}

impl Trail {
    /// Reads one; None when it is none.
    pub fn parse(text: &str) -> Option<Trail> {
        let (memory, text) = match text.strip_prefix('m') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut parts = text.split('_');
        let filters = match parts.next()? {
            "0" => Vec::new(),
            names => names.split('-').map(str::to_owned).collect(),
        };
        let scope = parts.next()?.strip_prefix('s')?.to_owned();
        let debts = parts.map(debt).collect::<Option<Vec<_>>>()?;
        Some(Trail { memory, filters, scope, debts })
    }

    /// Its text.
    pub fn text(&self) -> String {
        let mut out = String::from(if self.memory { "m" } else { "" });
        out.push_str(if self.filters.is_empty() { "0" } else { "" });
        out.push_str(&self.filters.join("-"));
        out.push_str("_s");
        out.push_str(&self.scope);
        for Debt { of, upto } in &self.debts {
            match of {
                Of::Filter(f) => out.push_str(&format!("_f{f}-{upto}")),
                Of::Table(t) => out.push_str(&format!("_n{t}-{upto}")),
            }
        }
        out
    }

    /// Adds a debt; of two of one kind the greater holds.
    pub fn owe(debts: &mut Vec<Debt>, of: Of, upto: i64) {
        match debts.iter_mut().find(|debt| debt.of == of) {
            Some(debt) => debt.upto = debt.upto.max(upto),
            None => debts.push(Debt { of, upto }),
        }
    }
}

fn debt(text: &str) -> Option<Debt> {
    let (name, upto) = text.split_once('-')?;
    let number = |rest: &str| rest.parse::<i64>().ok();
    let of = match (name.strip_prefix('f'), name.strip_prefix('n')) {
        (Some(f), _) => Of::Filter(number(f)?),
        (_, Some(t)) => Of::Table(number(t)?),
        _ => return None,
    };
    Some(Debt { of, upto: number(upto)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trails_survive_writing_and_reading() {
        let debts = vec![Debt { of: Of::Filter(2), upto: 95 }, Debt { of: Of::Table(1), upto: 7 }];
        let scope = || "0a1b".to_owned();
        for trail in [
            Trail::default(),
            Trail { memory: true, filters: vec!["3".into(), "x1f".into()], scope: scope(), debts: Vec::new() },
            Trail { memory: false, filters: vec!["3".into()], scope: scope(), debts },
        ] {
            assert_eq!(Trail::parse(&trail.text()), Some(trail.clone()), "{}", trail.text());
        }
        for bad in ["", "3", "3_f1-2", "3_s1_x1-2", "3_s1_f1", "3_s1_f1-x"] {
            assert_eq!(Trail::parse(bad), None, "{bad}");
        }
    }
}
