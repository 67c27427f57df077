//! The rows that every workload writes: a task list, the same in every run.

/// How a row's key is made.
#[derive(Clone, Copy, PartialEq)]
pub enum Keys {
    /// UUID version 4.
    Random,
    /// UUID version 7: the order of the keys is that of the inserts.
    Ordered,
}

impl Keys {
    pub fn name(self) -> &'static str {
        match self {
            Keys::Random => "UUIDv4",
            Keys::Ordered => "UUIDv7",
        }
    }
}

pub struct Row {
    pub id: String,
    pub title: String,
    pub description: String,
    pub priority: i64,
    pub tags: String,
    pub completed: i64,
}

/// A generator of numbers that look random (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

const WORDS: [&str; 12] =
    ["call", "write", "the", "garden", "report", "buy", "milk", "before", "friday", "fix", "and", "lamp"];
const TAGS: [&str; 6] = ["garden", "home", "office", "someday", "urgent", "week"];

fn words(random: &mut Random, count: u64) -> String {
    let pick = |_| WORDS[random.next() as usize % WORDS.len()];
    (0..count).map(pick).collect::<Vec<_>>().join(" ")
}

fn key(random: &mut Random, keys: Keys, i: usize) -> String {
    let (a, b) = (random.next(), random.next() >> 2 | 1 << 63);
    // Version 7 opens with 48 bits of milliseconds: here one more in every row.
    let a = match keys {
        Keys::Random => a & !0xf000 | 0x4000,
        Keys::Ordered => (1_795_000_000_000 + i as u64) << 16 | a & 0xfff | 0x7000,
    };
    let hex = format!("{a:016x}{b:016x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

pub fn make(keys: Keys, n: usize) -> Vec<Row> {
    let mut random = Random(42);
    let mut row = |i| {
        let (first, second) = (random.next() as usize % 5, random.next() as usize % 6);
        let (long, short) = (6 + random.next() % 16, 2 + random.next() % 4);
        Row {
            id: key(&mut random, keys, i),
            title: words(&mut random, short),
            description: words(&mut random, long),
            priority: (random.next() % 5) as i64,
            tags: match first < second {
                true => format!("[\"{}\",\"{}\"]", TAGS[first], TAGS[second]),
                false => format!("[\"{}\"]", TAGS[first]),
            },
            completed: (random.next() % 2) as i64,
        }
    };
    (0..n).map(&mut row).collect()
}
