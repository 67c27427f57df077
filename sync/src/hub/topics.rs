//! Which topics a scope lets see: those of its tables, of rows that meet its filter, and those that name no table.

use super::catalog::Catalog;
use super::errors::{Refusal, Result};
use super::inside::{Question, Verdict};
use super::scope::Scope;
use super::Hub;

/// The table that a topic is about: what stands before its colon, when that is an enabled table.
pub fn table_of<'t>(topic: &'t str, catalog: &Catalog) -> Option<&'t str> {
    let table = topic.split(':').next().unwrap_or_default();
    catalog.spelt(table).map(|_| table)
}

/// Whether `scope` lets see a topic.
pub async fn may_see(hub: &Hub, scope: &Scope, topic: &str) -> Result<bool> {
    if scope.reads_all() {
        return Ok(true);
    }
    let catalog = hub.catalog().await?;
    let Some(table) = table_of(topic, &catalog) else { return Ok(true) };
    if !scope.read.have(table) {
        return Ok(false);
    }
    scope.reaches(table, &catalog)?;
    let Some(expr) = scope.filter_of(table).map(str::to_owned) else { return Ok(true) };
    // Of a table with a filter only topics of rows that meet it: a topic tells the key.
    let Some((table, pk)) = topic.split_once(':').map(|(table, pk)| (table.to_owned(), pk.to_owned())) else {
        return Ok(false);
    };
    hub.readers
        .run(move |conn| match Question::new(conn, &table, &expr)? {
            Some(question) => Ok(question.of(conn, &pk)? == Verdict::Inside),
            None => Ok(false),
        })
        .await
}

/// Refuses a topic that `scope` does not let see.
pub async fn check(hub: &Hub, scope: &Scope, topic: &str) -> Result<()> {
    match may_see(hub, scope, topic).await? {
        true => Ok(()),
        false => Err(Refusal::forbidden(format!("this token does not see the topic '{topic}'"))),
    }
}
