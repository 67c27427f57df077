//! What is added to the database for all enabled tables of a width together: two views that rows go through, with their triggers,
//! and one that the readable views take their rows from. SQLite has that much less to read whenever the database is opened.

use crate::schema::install::{Object, Target};
use crate::sql::{fill, section, TRIGGERS, VIEW};

impl Target<'_> {
    /// What the table's triggers and its view need that is not the table's own.
    pub fn shared(&self) -> [Object; 5] {
        let (keys, parts, graves) = (self.shape.key.len(), self.parts().count(), self.lww().count());
        let old = columns(",k", keys) + &columns(",v", graves);
        let (moved, stood) = (self.moved(), self.stood());
        [
            view(&moved, &(columns(",n", keys) + &columns(",p", parts) + &old)),
            self.through("moved", &moved),
            view(&stood, &old),
            self.through("stood", &stood),
            Object { name: "_crdt_show".to_owned(), sql: section(VIEW, "show").to_owned() },
        ]
    }

    /// The view that a row goes through whose key changes, by how many columns of the log and of the grave it takes.
    pub(super) fn moved(&self) -> String {
        format!("_crdt_moved_{}_{}_{}", self.shape.key.len(), self.parts().count(), self.lww().count())
    }

    /// The view that a row goes through which a REPLACE may be about to remove.
    pub(super) fn stood(&self) -> String {
        format!("_crdt_stood_{}_{}", self.shape.key.len(), self.lww().count())
    }

    /// The trigger of such a view. Table 0 is none: by its name the trigger is one of ours.
    fn through(&self, template: &str, view: &str) -> Object {
        let (keys, parts, graves) = (self.shape.key.len(), self.parts().count(), self.lww().count());
        let name = view.replace("_crdt_", "_crdt_0_");
        let values = [
            ("name", name.as_str()),
            ("view", view),
            ("log_keys", &columns(",k", keys)),
            ("log_parts", &columns(",v", parts)),
            ("grave_columns", &columns(",v", graves)),
            ("new_keys", &columns(",new.n", keys)),
            ("new_parts", &columns(",new.p", parts)),
            ("old_keys", &columns(",new.k", keys)),
            ("old_values", &columns(",new.v", graves)),
        ];
        let sql = fill(section(TRIGGERS, template), &values).trim_end_matches(';').to_owned();
        Object { name, sql }
    }
}

fn view(name: &str, columns: &str) -> Object {
    let nulls = ",NULL".repeat(columns.matches(',').count());
    let values = [("view", name), ("columns", columns), ("nulls", &nulls)];
    let sql = fill(section(TRIGGERS, "shared view"), &values).trim_end_matches(';').to_owned();
    Object { name: name.to_owned(), sql }
}

/// `,k0,k1…`
fn columns(prefix: &str, count: usize) -> String {
    (0..count).map(|i| format!("{prefix}{i}")).collect()
}
