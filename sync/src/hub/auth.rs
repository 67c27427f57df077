//! Bearer tokens: which scope each has. The file is read again on SIGHUP.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{header, HeaderMap, StatusCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use super::errors::{Refusal, Result};
use super::scope::Scope;
use super::Shared;

/// SHA-256 of a token.
pub type Fingerprint = [u8; 32];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    token_sha256: Option<String>,
    #[serde(default)]
    read: Vec<String>,
    #[serde(default)]
    write: Vec<String>,
    #[serde(default)]
    filter: BTreeMap<String, String>,
}

/// The tokens of a file.
pub struct Tokens {
    path: PathBuf,
    known: RwLock<Vec<(Fingerprint, Arc<Scope>)>>,
    read_again: watch::Sender<u64>,
}

/// Who asks, and what they may.
#[derive(Clone)]
pub struct Access {
    /// What they may.
    pub scope: Arc<Scope>,
    token: Option<Fingerprint>,
}

impl Tokens {
    /// Reads the file.
    pub fn read(path: &Path) -> std::result::Result<Tokens, String> {
        let known = RwLock::new(entries(path)?);
        Ok(Tokens { path: path.to_owned(), known, read_again: watch::channel(0).0 })
    }

    /// Reads the file again; when it is wrong the tokens stay as they were.
    pub fn read_again(&self) {
        match entries(&self.path) {
            Ok(entries) => {
                tracing::info!(tokens = entries.len(), "token file read");
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = entries;
                self.read_again.send_modify(|n| *n += 1);
            }
            Err(e) => tracing::error!("the tokens stay as they were: {e}"),
        }
    }

    /// All scopes.
    pub fn scopes(&self) -> Vec<Arc<Scope>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(_, scope)| Arc::clone(scope)).collect()
    }

    /// Rises when the file was read again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.read_again.subscribe()
    }

    /// The scope of a token. Takes as long for any token.
    fn scope(&self, token: &Fingerprint) -> Option<Arc<Scope>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for (fingerprint, scope) in known.iter() {
            if bool::from(fingerprint.ct_eq(token)) {
                found = Some(Arc::clone(scope));
            }
        }
        found
    }

    /// Who sent these headers.
    fn access(&self, headers: &HeaderMap) -> Result<Access> {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = sent
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| Sha256::digest(token.trim().as_bytes()).into())
            .ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "a bearer token is needed"))?;
        match self.scope(&token) {
            Some(scope) => Ok(Access { scope, token: Some(token) }),
            None => Err(Refusal::new(StatusCode::UNAUTHORIZED, "the token is not known")),
        }
    }
}

impl Access {
    /// Who asks where no token is needed.
    pub fn anyone() -> Access {
        Access { scope: Arc::new(Scope::all()), token: None }
    }

    /// The token that was shown.
    pub fn token(&self) -> Option<&Fingerprint> {
        self.token.as_ref()
    }

    /// With a token that may do everything.
    #[cfg(test)]
    pub fn of(token: Fingerprint) -> Access {
        Access { token: Some(token), ..Access::anyone() }
    }

    /// Whether a token still allows what it did.
    pub fn still_holds(&self, tokens: Option<&Tokens>) -> bool {
        match (tokens, &self.token) {
            (Some(tokens), Some(token)) => tokens.scope(token).as_ref() == Some(&self.scope),
            _ => true,
        }
    }
}

impl FromRequestParts<Shared> for Access {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, hub: &Shared) -> Result<Access> {
        match &hub.tokens {
            Some(tokens) => tokens.access(&parts.headers),
            None => Ok(Access::anyone()),
        }
    }
}

fn entries(path: &Path) -> std::result::Result<Vec<(Fingerprint, Arc<Scope>)>, String> {
    let about = |what: String| format!("token file {}: {what}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| about(e.to_string()))?;
    parse(&text).map_err(about)
}

fn parse(text: &str) -> std::result::Result<Vec<(Fingerprint, Arc<Scope>)>, String> {
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let mut known: Vec<(Fingerprint, Arc<Scope>)> = Vec::new();
    for (i, entry) in entries.into_iter().enumerate() {
        let token = fingerprint(&entry).ok_or_else(|| {
            format!("entry {i} needs either \"token\", not empty, or \"token_sha256\", 64 hex digits")
        })?;
        if known.iter().any(|(other, _)| *other == token) {
            return Err(format!("entry {i} has a token that another entry has"));
        }
        let scope = Scope::new(entry.read, entry.write, entry.filter);
        // A misspelt filter would let everything through.
        if let Some((table, _)) = scope.all_filters().find(|(t, _)| !scope.read.have(t) && !scope.write.have(t)) {
            return Err(format!("entry {i} has a filter for '{table}', which it neither reads nor writes"));
        }
        known.push((token, Arc::new(scope)));
    }
    Ok(known)
}

fn fingerprint(entry: &Entry) -> Option<Fingerprint> {
    match (&entry.token, &entry.token_sha256) {
        (Some(token), None) if !token.is_empty() => Some(Sha256::digest(token.as_bytes()).into()),
        (None, Some(hex)) if hex.len() == 64 && hex.is_ascii() => {
            let mut digest = Fingerprint::default();
            for (i, byte) in digest.iter_mut().enumerate() {
                *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
            }
            Some(digest)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_clear_is_its_hash() {
        let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"; // of "secret"
        let clear = parse(r#"[{"token":"secret","read":["tasks"]}]"#).unwrap();
        let hashed = parse(&format!(r#"[{{"token_sha256":"{hash}","read":["tasks"]}}]"#)).unwrap();
        assert_eq!(clear, hashed);
    }

    #[test]
    fn what_an_entry_lacks_is_told() {
        for bad in [
            r#"[{"read":["*"]}]"#,
            r#"[{"token":""}]"#,
            r#"[{"token":"a","token_sha256":"b"}]"#,
            r#"[{"token_sha256":"zz"}]"#,
            r#"[{"token":"a"},{"token":"a"}]"#,
            r#"[{"token":"a","raed":["tasks"]}]"#,
            r#"[{"token":"a","read":["tasks"],"filter":{"task":"1"}}]"#,
            r#"{"token":"a"}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
