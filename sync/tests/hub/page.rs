//! The status page in a real browser.

use serde_json::json;

use crate::browser::Browser;
use crate::common::{delete, lww, Hub};

fn is_left_out() -> bool {
    std::env::var("GROVE_SKIP_HOSTS").is_ok_and(|hosts| hosts.split(',').any(|host| host == "chromium"))
}

#[test]
fn the_page_shows_tables_peers_and_changes_as_they_come() {
    if is_left_out() {
        return;
    }
    let mut hub = Hub::with_tokens(&json!([{"token": "admin", "read": ["*"], "write": ["*"]}]));
    hub.as_token("admin");
    hub.push(&[lww("tasks", "t1", "title", 1, "a", json!("old")), lww("tasks", "t2", "title", 1, "a", json!("x"))])
        .ok();
    hub.push(&[delete("tasks", "t2", 2, "a")]).ok();
    hub.pull(&json!({"node_id": "phone"}));

    let mut browser = Browser::open(&format!("{}/", hub.root()));
    browser.shows("#state", "a token is needed");
    assert_eq!(browser.text("main"), "", "nothing without a token");
    browser.shows("#login", "Token");
    browser.value("document.getElementById('token').value = 'wrong'; document.querySelector('#login button').click()");
    browser.shows("#state", "a token is needed");
    browser.value("document.getElementById('token').value = 'admin'; document.querySelector('#login button').click()");
    browser.shows("#state", "live");
    assert_eq!(browser.value("document.getElementById('login').offsetHeight"), json!(0), "the form is gone");
    browser.shows("#tables", "tasks\t1\t1\t0");
    browser.shows("#peers", "phone\t3\t");
    browser.shows("#quiet", "Nothing has changed");

    hub.push(&[lww("notes", "n1", "body", 5, "laptop", json!("<b>new</b>"))]).ok();
    browser.shows("#feed", "notes[n1]\tbody\t\"<b>new</b>\"\tlaptop");
    assert_eq!(browser.value("document.querySelectorAll('#feed b').length"), json!(0), "values are text");
    browser.shows("#tables", "notes\t1\t0\t0");
    hub.database().execute("UPDATE tasks SET title = 'by another process'", []).unwrap();
    browser.shows("#feed", "by another process");
    assert!(!browser.text("#feed").contains("old"), "only what came since");

    hub.kill();
    browser.shows("#state", "connection lost");
    let root = hub.root().to_owned();
    let outside: Vec<&String> =
        browser.asked.iter().filter(|url| !url.starts_with(&root) && !url.starts_with("data:")).collect();
    assert!(outside.is_empty() && browser.asked.len() > 5, "{outside:?} of {:?}", browser.asked);
}
