//! Writing a change as JSON. Pure.

use super::{Body, Change, Known, LEFT, ROW, TOMBSTONE};
use crate::clock::Hlc;
use crate::types::seen::Seen;
use crate::value::write_text;

impl Change {
    /// Appends the change as JSON.
    pub fn write_json(&self, out: &mut String) {
        Writer { table: &self.table, pk: &self.pk }.write(
            out,
            &self.field,
            &self.hlc,
            &self.body,
            self.seen.as_deref(),
        );
    }
}

/// Writes the changes of one record.
pub struct Writer<'a> {
    /// Source table.
    pub table: &'a str,
    /// Key text.
    pub pk: &'a str,
}

impl Writer<'_> {
    /// Appends one change of the record as JSON.
    pub fn write(&self, out: &mut String, field: &str, hlc: &Hlc, body: &Body, seen: Option<&Seen>) {
        match body {
            Body::Tombstone { forgotten } => {
                self.head(out, TOMBSTONE, "", hlc);
                out.push_str(",\"tombstone\":true");
                write_forgotten(out, forgotten.as_ref());
                write_seen(out, seen);
            }
            Body::Left(known) => {
                self.record(out, LEFT, "");
                if let Some(known) = known {
                    write_known(out, known);
                }
            }
            Body::Row => {
                self.head(out, ROW, "lww", hlc);
                out.push_str(",\"value\":true");
            }
            Body::Lww { value, prev, altered } => {
                self.head(out, field, "lww", hlc);
                out.push_str(",\"value\":");
                out.push_str(value);
                if let Some(prev) = prev {
                    out.push_str(",\"prev\":");
                    prev.write_json(out);
                }
                write_seen(out, seen);
                if *altered {
                    out.push_str(",\"altered\":true");
                }
            }
            Body::Counter { inc, dec, born, operation } => {
                self.head(out, field, "counter", hlc);
                use std::fmt::Write;
                let _ = write!(out, ",\"counter_delta\":{{\"inc\":{inc},\"dec\":{dec}}}"); // cannot fail
                if let Some(born) = born {
                    out.push_str(",\"born\":");
                    born.write_json(out);
                }
                if *operation {
                    out.push_str(",\"operation\":true");
                }
            }
            Body::Add(elements) => self.set(out, field, hlc, "add", elements, None),
            Body::Remove { elements, tags } => self.set(out, field, hlc, "remove", elements, tags.as_deref()),
            Body::Other { json, .. } => return out.push_str(json),
        }
        out.push('}');
    }

    fn set(&self, out: &mut String, field: &str, hlc: &Hlc, op: &str, elements: &[String], tags: Option<&[Hlc]>) {
        self.head(out, field, "set", hlc);
        out.push_str(",\"set_op\":{\"op\":\"");
        out.push_str(op);
        out.push_str("\",\"elements\":");
        write_array(out, elements, |element, out| out.push_str(element));
        if let Some(tags) = tags {
            out.push_str(",\"tags\":");
            write_array(out, tags, Hlc::write_json);
        }
        out.push('}');
    }

    fn head(&self, out: &mut String, field: &str, crdt_type: &str, hlc: &Hlc) {
        self.record(out, field, crdt_type);
        out.push_str(",\"hlc\":");
        hlc.write_json(out);
        out.push_str(",\"node_id\":");
        write_text(out, &hlc.node);
    }

    fn record(&self, out: &mut String, field: &str, crdt_type: &str) {
        out.push_str("{\"table\":");
        write_text(out, self.table);
        out.push_str(",\"pk\":");
        write_text(out, self.pk);
        out.push_str(",\"field\":");
        write_text(out, field);
        out.push_str(",\"crdt_type\":\"");
        out.push_str(crdt_type);
        out.push('"');
    }
}

/// Appends what an author had seen, where it tells.
pub fn write_seen(out: &mut String, seen: Option<&Seen>) {
    if let Some(seen) = seen {
        out.push_str(",\"seen\":");
        write_array(out, seen.stamps(), Hlc::write_json);
    }
}

fn write_known(out: &mut String, known: &Known) {
    out.push_str(",\"knows\":{");
    for (i, (author, tick)) in known.authors.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_text(out, author);
        out.push_str(&format!(":{{\"ts\":{},\"c\":{}}}", tick.ts, tick.c));
    }
    out.push_str("},\"stamps\":{");
    for (i, (field, hlc)) in known.stamps.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_text(out, field);
        out.push(':');
        hlc.write_json(out);
    }
    out.push('}');
    write_forgotten(out, known.forgotten.as_ref());
}

fn write_forgotten(out: &mut String, forgotten: Option<&Hlc>) {
    if let Some(until) = forgotten {
        out.push_str(",\"forgotten\":");
        until.write_json(out);
    }
}

fn write_array<T>(out: &mut String, items: &[T], write: impl Fn(&T, &mut String)) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}
