//! The workloads of one round.

use crate::database::{Database, Kind, Session};
use crate::measure::{timed, Results, Spent};
use crate::rows::{Keys, Row};

/// Ratios promised for bulk writes and for the file.
const BULK: f64 = 2.0;
const FILE: f64 = 1.8;
/// No promise.
const NONE: f64 = 0.0;

/// One round with one kind of key and one kind of enabled table.
pub struct Round<'a> {
    pub results: &'a mut Results,
    pub rows: &'a [Row],
    pub keys: Keys,
    pub kind: Kind,
    /// Ours before plain.
    pub swap: bool,
}

/// Works on a fresh connection, and times the work.
fn on<T>(database: &Database, work: impl FnOnce(&Session) -> T) -> (T, Spent) {
    let session = database.open();
    timed(|| work(&session))
}

impl Round<'_> {
    pub fn run(&mut self) {
        self.write();
        self.sync();
    }

    fn add(&mut self, name: &str, unit: &'static str, count: usize, target: f64, spent: [Spent; 2]) {
        let table = match self.kind {
            Kind::Parts => " counter+set",
            _ => "",
        };
        let name = format!("{}{table}: {name}", self.keys.name());
        let [plain, ours] = spent;
        self.results.add(name, (unit, count, target), plain, ours);
    }

    /// Writes to both tables, the time of each.
    fn turns(&self, both: &[Database; 2], work: impl Fn(&Session)) -> [Spent; 2] {
        let [plain, ours] = both;
        if self.swap {
            let second = on(ours, &work).1;
            [on(plain, &work).1, second]
        } else {
            [on(plain, &work).1, on(ours, &work).1]
        }
    }

    fn write(&mut self) {
        let (rows, n) = (self.rows, self.rows.len());
        let both = [Database::new(Kind::Plain), Database::new(self.kind)];
        let sizes = || both.each_ref().map(|it| Spent::bytes(it.bytes()));
        let fold = || on(&both[1], Session::fold).1;

        let insert = self.turns(&both, |it| it.insert(rows, false));
        self.add("bulk insert", "row", n, BULK, insert);
        self.add("file after insert", "", 1, FILE, sizes());
        self.add("fold of it, to plain insert", "row", n, NONE, [insert[0], fold()]);
        self.add("file after fold", "", 1, FILE, sizes());

        let update = self.turns(&both, |it| it.update(rows, "one", n));
        self.add("update a column", "row", n, BULK, update);
        self.add("fold of it, to plain update", "row", n, NONE, [update[0], fold()]);
        let statement = match self.kind {
            Kind::Parts => "UPDATE tasks SET priority = priority + 1",
            _ => "UPDATE tasks SET completed = 2",
        };
        let spent = self.turns(&both, |it| it.run(statement));
        let name = match self.kind {
            Kind::Parts => "raise the counter, one statement",
            _ => "update a column, one statement",
        };
        self.add(name, "row", n, BULK, spent);
        if self.kind == Kind::Parts {
            return;
        }
        let spent = self.turns(&both, |it| it.update(rows, "two", 100));
        self.add("update a column, 100 rows each commit", "row", n, NONE, spent);
        let some = &rows[..n / 5];
        let spent = self.turns(&both, |it| it.update_alone(some, "three"));
        self.add("update a column, autocommit", "row", some.len(), NONE, spent);
        let tenth = &rows[..n / 10];
        let spent = self.turns(&both, |it| it.delete(tenth));
        self.add("delete a tenth", "row", tenth.len(), NONE, spent);
    }

    /// Export from one node, merge into an empty one, and again.
    fn sync(&mut self) {
        let (rows, n) = (self.rows, self.rows.len());
        let [plain, plain_peer] = [(); 2].map(|()| Database::new(Kind::Plain));
        let [source, peer] = [(); 2].map(|()| Database::new(self.kind));
        for database in [&plain, &source] {
            database.open().insert(rows, false);
        }
        source.open().fold();

        let read = on(&plain, Session::read).1;
        let (pages, export) = on(&source, Session::export);
        self.add("export all, to rows as JSON", "row", n, NONE, [read, export]);
        for name in ["merge all, to plain upsert", "merge again, to plain upsert"] {
            let upsert = on(&plain_peer, |it| it.insert(rows, true)).1;
            let merge = on(&peer, |it| it.merge(&pages)).1;
            self.add(name, "row", n, NONE, [upsert, merge]);
        }
    }
}
