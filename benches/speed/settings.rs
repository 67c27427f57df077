//! What a run is asked for, from the environment.

use crate::rows::Keys;

/// A number from the environment.
pub fn number(name: &str, default: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}

/// The words of a variable, between commas; none when it is not set.
fn words(name: &str) -> Vec<String> {
    let text = std::env::var(name).unwrap_or_default();
    text.split(',').map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty()).collect()
}

/// SQLite's page cache.
#[derive(Clone, Copy, PartialEq)]
pub enum Cache {
    /// 2 MB.
    Default,
    Large,
}

impl Cache {
    pub fn name(self) -> &'static str {
        match self {
            Cache::Default => "2MB",
            Cache::Large => "64MB",
        }
    }

    pub fn pragma(self) -> &'static str {
        match self {
            Cache::Default => "",
            Cache::Large => "PRAGMA cache_size = -65536;",
        }
    }
}

pub struct Settings {
    pub rows: usize,
    pub rounds: usize,
    /// Parts of the names of the workloads to run; all when empty.
    only: Vec<String>,
    keys: Vec<String>,
    cache: Vec<String>,
    /// Rivals to leave out, or `all`.
    skip: Vec<String>,
    /// The workloads that take minutes, instead of the others.
    pub large: bool,
}

impl Settings {
    pub fn read() -> Settings {
        Settings {
            rows: number("BENCH_ROWS", 100_000).max(100),
            rounds: number("BENCH_ROUNDS", 5).max(1),
            only: words("BENCH_ONLY"),
            keys: words("BENCH_KEYS"),
            cache: words("BENCH_CACHE"),
            skip: words("BENCH_SKIP"),
            large: number("BENCH_LARGE", 0) > 0,
        }
    }

    /// Whether the workload is asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.to_lowercase().contains(part))
    }

    /// Whether the rival is to be left out.
    pub fn skips(&self, name: &str) -> bool {
        self.skip.iter().any(|word| word == "all" || word == name)
    }

    /// Keys and caches to run with.
    pub fn places(&self) -> Vec<(Keys, Cache)> {
        let has =
            |words: &[String], name: &str| words.is_empty() || words.iter().any(|word| *word == name.to_lowercase());
        let keys = [Keys::Random, Keys::Ordered].into_iter().filter(|keys| has(&self.keys, keys.name()));
        let caches = [Cache::Default, Cache::Large].into_iter().filter(|cache| has(&self.cache, cache.name()));
        let caches: Vec<_> = caches.collect();
        let places: Vec<_> = keys.flat_map(|keys| caches.iter().map(move |cache| (keys, *cache))).collect();
        assert!(!places.is_empty(), "BENCH_KEYS is UUIDv4, UUIDv7; BENCH_CACHE is 2MB, 64MB");
        places
    }
}
