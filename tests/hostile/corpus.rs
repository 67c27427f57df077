//! Reading the inputs, and comparing what comes of each with what was noted.

use std::fmt::Write;
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/corpus").join(format!("{name}.txt"))
}

fn lines(name: &str) -> Vec<String> {
    std::fs::read_to_string(path(name)).unwrap().lines().map(str::to_owned).collect()
}

/// Puts in what a line's `$` words stand for (`corpus/words.txt`).
fn spelled(line: &str) -> String {
    let mut text = line.to_owned();
    for word in lines("words") {
        let (short, long) = word.split_once('=').unwrap();
        text = text
            .replace(&format!("{short},"), &format!("{long},"))
            .replace(&format!("{short}}}"), &format!("{long}}}"));
        text =
            text.replace(&format!("{short}]"), &format!("{long}]")).replace(&format!("{short} "), &format!("{long} "));
    }
    text
}

/// Gives every input of a file to `outcome`, and compares what it says with the line's second half.
#[track_caller]
pub fn each(name: &str, least: usize, mut outcome: impl FnMut(&str) -> String) {
    let note = std::env::var_os("HOSTILE_NOTE").is_some();
    let (mut noted, mut wrong, mut count) = (String::new(), String::new(), 0);
    for line in lines(name) {
        let (input, expected) = line.rsplit_once(" => ").unwrap_or((&line, ""));
        let came = outcome(&spelled(input)).replace('\n', " ");
        count += 1;
        let _ = writeln!(noted, "{input} => {came}");
        if came != expected {
            let _ = writeln!(wrong, "{input}\n  gave     {came}\n  expected {expected}");
        }
    }
    if note {
        std::fs::write(path(name), noted).unwrap();
    } else {
        assert!(wrong.is_empty(), "{wrong}");
    }
    assert!(count >= least, "{count} inputs in {name}");
}

/// A refusal as it is noted: `no`, and the beginning of the message.
pub fn refused(message: &str) -> String {
    format!("no: {}", message.chars().take(150).collect::<String>().trim_end())
}
