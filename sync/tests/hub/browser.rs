//! A headless browser, by its debugging protocol over two pipes.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{json, Value};

use crate::common::eventually;

/// A browser that shows one page.
pub struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    session: Option<String>,
    sent: i64,
    /// The URLs that the page has asked for.
    pub asked: Vec<String>,
    _profile: tempfile::TempDir,
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

impl Browser {
    pub fn open(url: &str) -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let (to, from) = (profile.path().join("to"), profile.path().join("from"));
        pipe(&to);
        pipe(&from);
        let child = Command::new("sh")
            .args(["-c", "exec chromium --headless --no-sandbox --disable-gpu --remote-debugging-pipe --user-data-dir=\"$0\" 3<\"$1\" 4>\"$2\""])
            .args([&profile.path().join("profile"), &to, &from])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(to).unwrap();
        let from = BufReader::new(File::open(from).unwrap());
        let mut browser = Browser { child, to, from, session: None, sent: 0, asked: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", &attach)["sessionId"].as_str().unwrap().to_owned();
        browser.session = Some(session);
        browser.call("Network.enable", &json!({}));
        browser.call("Page.navigate", &json!({"url": url}));
        browser
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut bytes = Vec::new();
            let read = self.from.read_until(0, &mut bytes).unwrap();
            assert!(read > 0, "the browser has ended; is it installed? `make test` does that, GROVE_SKIP_HOSTS=chromium leaves it out");
            bytes.pop();
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            if answer["method"] == "Network.requestWillBeSent" {
                self.asked.push(answer["params"]["request"]["url"].as_str().unwrap().to_owned());
            }
            if answer["id"] == json!(self.sent) {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let result = self.call("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true}));
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// The text of an element; empty where it is not, or not shown.
    pub fn text(&mut self, selector: &str) -> String {
        let shown = "(e => e?.getClientRects().length ? e.innerText : '')";
        let text = self.value(&format!("{shown}(document.querySelector({}))", json!(selector)));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an element's text has this in it.
    pub fn shows(&mut self, selector: &str, part: &str) {
        eventually(&format!("{selector} shows {part}"), || self.text(selector).contains(part));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
