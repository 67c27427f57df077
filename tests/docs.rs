//! The examples in the documentation, run as a reader would run them, in a folder that holds the library.
//!
//! | fenced as | what is done with it |
//! |---|---|
//! | `sql` | all of one file's, one after the other, in one run of the `sqlite3` shell |
//! | `sql NAME` | put into a file of that name, for `.read NAME` |
//! | `python` | each by `/usr/bin/python3`, with apsw where it imports that |
//! | `js` | each by Node, as a module |
//! | `rust` | equal to a file of `examples/`, which is run |
//!
//! A `text` block that follows at once is what it prints; `…` in it stands for anything within a line. Hosts named in
//! `GROVE_SKIP_HOSTS` are left out.

mod common;

use common::library;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const README: &str = include_str!("../README.md");
const DESIGN: &str = include_str!("../docs/design.md");
const HOOKS: &str = include_str!("../docs/hooks.md");
const SEMANTICS: &str = include_str!("../docs/semantics.md");

/// The examples, under the names that the tests run them by.
mod examples {
    pub mod loadable {
        include!("../examples/loadable.rs");
        pub fn run() {
            main().unwrap();
        }
    }
    pub mod embedded {
        include!("../examples/embedded.rs");
        pub fn run() {
            main().unwrap();
        }
    }
}

/// A fenced block, and the output that the document gives for it.
struct Block {
    language: String,
    line: usize,
    body: String,
    output: Option<String>,
}

/// The fenced blocks of a document in order, outputs taken to what they belong to.
fn blocks(document: &str) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    let mut follows = false;
    for (i, line) in document.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => {
                let block = open.take().unwrap();
                match all.last_mut() {
                    Some(last) if follows && block.language == "text" => last.output = Some(block.body),
                    _ => all.push(block),
                }
                follows = true;
            }
            (Some(block), _) => writeln!(block.body, "{line}").unwrap(),
            (None, Some(language)) => {
                open = Some(Block { language: language.to_owned(), line: i + 1, body: String::new(), output: None });
            }
            (None, None) => follows = false,
        }
    }
    assert!(open.is_none(), "a block is not closed");
    all
}

fn blocks_in<'a>(all: &'a [Block], language: &'a str) -> impl Iterator<Item = &'a Block> {
    all.iter().filter(move |block| block.language == language)
}

/// Whether a printed line is what the document shows.
fn line_fits(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else { return false };
    let Some(last) = shown.contains('…').then(|| parts.next_back()).flatten() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, tail)) => rest = tail,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn dots_stand_for_anything() {
    assert!(line_fits("a…c…e", "abcde") && line_fits("a…", "a") && line_fits("…", "x") && line_fits("ab", "ab"));
    assert!(!line_fits("a…c", "abd") && !line_fits("ab", "abc") && !line_fits("a…b…c", "a c"));
}

/// Compares what an example printed with what the document shows.
fn check(document: &str, block: &Block, printed: &str) {
    let Some(shown) = &block.output else { return };
    let (shown, printed): (Vec<_>, Vec<_>) = (shown.trim_end().lines().collect(), printed.trim_end().lines().collect());
    let fits = shown.len() == printed.len() && shown.iter().zip(&printed).all(|(a, b)| line_fits(a, b));
    assert!(fits, "{document}, line {}: it prints\n{}\n", block.line, printed.join("\n"));
}

/// A folder with the library under the name that the examples load.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = library();
    std::fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
    folder
}

/// Runs a program in a folder; what it printed.
fn run(command: &mut Command, folder: &Path) -> String {
    let output = command.current_dir(folder).output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; `make test` installs the hosts, GROVE_SKIP_HOSTS leaves them out")
    });
    let (printed, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && errors.is_empty(), "{command:?}: {errors}\n{printed}");
    printed.into_owned()
}

fn skipped(host: &str) -> bool {
    let skip = std::env::var("GROVE_SKIP_HOSTS").unwrap_or_default();
    skip.split(',').any(|name| name == host)
}

/// Where `hosts/setup.sh` puts what it downloads.
fn installed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("hosts").join(path)
}

fn run_sql(name: &str, document: &str) {
    if skipped("shell") {
        return;
    }
    let (folder, all) = (folder(), blocks(document));
    let mark = |block: &Block| format!("--- {name}, line {} ---", block.line);
    for (file, block) in all.iter().filter_map(|block| Some((block.language.strip_prefix("sql ")?, block))) {
        std::fs::write(folder.path().join(file), &block.body).unwrap();
    }
    let mut script = String::new();
    for block in blocks_in(&all, "sql") {
        writeln!(script, ".print '{}'\n{}", mark(block), block.body).unwrap();
    }
    assert!(!script.is_empty());
    let path = folder.path().join("script.sql");
    std::fs::write(&path, script).unwrap();
    let input = std::fs::File::open(path).unwrap();
    let printed = run(Command::new("sqlite3").args(["-bail", "-init", "/dev/null"]).stdin(input), folder.path());
    for block in blocks_in(&all, "sql") {
        let (_, after) = printed.split_once(&format!("{}\n", mark(block))).expect("every block is reached");
        check(name, block, after.split(&format!("--- {name}, line ")).next().unwrap());
    }
}

#[test]
fn sql_of_the_readme() {
    run_sql("README.md", README);
}

#[test]
fn sql_of_the_design() {
    run_sql("docs/design.md", DESIGN);
}

#[test]
fn sql_of_the_hooks() {
    run_sql("docs/hooks.md", HOOKS);
}

#[test]
fn sql_of_the_semantics() {
    run_sql("docs/semantics.md", SEMANTICS);
}

#[test]
fn python() {
    let (folder, all) = (folder(), blocks(README));
    for block in blocks_in(&all, "python") {
        if skipped(if block.body.contains("import apsw") { "apsw" } else { "python" }) {
            continue;
        }
        let mut command = common::python();
        command.env("PYTHONPATH", installed("apsw")).args(["-c", &block.body]);
        check("README.md", block, &run(&mut command, folder.path()));
    }
}

#[test]
fn node() {
    if skipped("node") {
        return;
    }
    let (folder, all) = (folder(), blocks(README));
    for block in blocks_in(&all, "js") {
        std::fs::write(folder.path().join("example.mjs"), &block.body).unwrap();
        let mut command = Command::new(installed("node/node_modules/.bin/node"));
        command.args(["--disable-warning=ExperimentalWarning", "example.mjs"]);
        check("README.md", block, &run(&mut command, folder.path()));
    }
}

/// The examples change their process (one gives the extension to all its connections), so each gets its own: this test
/// again, told by the environment which to run.
#[test]
fn rust() {
    const EXAMPLE: &str = "GROVE_EXAMPLE";
    match std::env::var(EXAMPLE).as_deref() {
        Ok("loadable") => return examples::loadable::run(),
        Ok("embedded") => return examples::embedded::run(),
        _ => {}
    }
    let all = blocks(README);
    for (name, text) in
        [("loadable", include_str!("../examples/loadable.rs")), ("embedded", include_str!("../examples/embedded.rs"))]
    {
        let block = blocks_in(&all, "rust").find(|block| block.body == text);
        let block = block.unwrap_or_else(|| panic!("README.md does not show examples/{name}.rs as it is"));
        let mut command = Command::new(std::env::current_exe().unwrap());
        // With one thread the runner would print the test's name before what it prints.
        command.env(EXAMPLE, name).env("RUST_TEST_THREADS", "2").args(["--exact", "rust", "--nocapture"]);
        let printed = run(&mut command, folder().path());
        // The test runner's own words stand around it.
        let printed = printed.split_once("running 1 test\n").unwrap().1;
        check("README.md", block, printed.rsplit_once("test rust ... ok").unwrap().0);
    }
    assert_eq!(blocks_in(&all, "rust").count(), 2);
}

/// Names of files that the documents link to.
#[test]
fn links_lead_somewhere() {
    let changelog = include_str!("../CHANGELOG.md");
    for (folder, document) in [("", README), ("docs", DESIGN), ("docs", HOOKS), ("docs", SEMANTICS), ("", changelog)] {
        for link in document.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(file);
                assert!(path.exists(), "{link}");
            }
        }
    }
}
