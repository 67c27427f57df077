//! Which peers there are, and which token is for whom.

use std::collections::BTreeSet;

use ureq::http::Uri;

/// One of the peers.
#[derive(Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its sync endpoint, as it was given.
    pub url: String,
    /// The same as it is told, and as the database has it: without a slash at its end, and without a password.
    pub name: String,
    /// What it is to be shown.
    pub token: Option<String>,
}

/// The peers at `urls`, in that order. A token is for one origin: nobody else is to see it.
pub fn peers(urls: &[String], tokens: &[String]) -> Result<Vec<Peer>, String> {
    let origins: BTreeSet<String> = urls.iter().map(|url| origin(url)).collect::<Result<_, _>>()?;
    let tokens = if tokens.iter().all(String::is_empty) { &[] } else { tokens };
    let token_of = |i: usize| match tokens {
        [one] => Some(one),
        _ => tokens.get(i),
    };
    match tokens.len() {
        1 if origins.len() > 1 => {
            let origins: Vec<String> = origins.into_iter().collect();
            return Err(format!(
                "one token would go to {}: give one for each --peer, in the same order ('' for none)",
                origins.join(" and ")
            ));
        }
        0 | 1 => {}
        n if n == urls.len() => {}
        n => {
            return Err(format!(
                "{n} tokens for {} peers: give one for all of one origin, or one for each --peer in the same order ('' for none)",
                urls.len()
            ));
        }
    }
    let peer = |(i, url): (usize, &String)| Peer {
        url: url.clone(),
        name: name(url),
        token: token_of(i).filter(|token| !token.is_empty()).cloned(),
    };
    Ok(urls.iter().enumerate().map(peer).collect())
}

/// An endpoint as it is told: the password that its address may carry is for requests only.
fn name(url: &str) -> String {
    without_password(url.trim_end_matches('/'))
}

fn without_password(url: &str) -> String {
    let parts = || {
        let (before, rest) = url.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (who, host) = authority.rsplit_once('@')?;
        Some(format!("{before}://{}@{host}{path}", who.split(':').next().unwrap_or_default()))
    };
    parts().unwrap_or_else(|| url.to_owned())
}

/// Scheme, host and port of an endpoint.
fn origin(url: &str) -> Result<String, String> {
    let parts = || {
        let (scheme, usual) = if url.starts_with("https://") { ("https", 443) } else { ("http", 80) };
        let uri: Uri = url.parse().ok()?;
        let host = uri.host().filter(|host| !host.is_empty())?;
        let is_plain = uri.scheme_str() == Some(scheme) && uri.query().is_none() && !url.contains('#');
        is_plain.then(|| format!("{scheme}://{}:{}", host.to_ascii_lowercase(), uri.port_u16().unwrap_or(usual)))
    };
    parts().ok_or_else(|| {
        format!(
            "--peer {}: the address of a sync endpoint is needed, such as https://hub.example/sync",
            without_password(url)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        assert_eq!(origin("http://Hub.example/sync").as_deref(), Ok("http://hub.example:80"));
        assert_eq!(origin("https://hub.example:443/a").as_deref(), Ok("https://hub.example:443"));
        assert_eq!(origin("http://[::1]:8080").as_deref(), Ok("http://[::1]:8080"));
        for wrong in
            ["hub", "ftp://hub/sync", "http://", "http:///sync", "https://hub/sync?a=b", "http://hub/#a", "http://a b/"]
        {
            assert!(origin(wrong).is_err_and(|e| e.contains(wrong)), "{wrong}");
        }
    }

    #[test]
    fn passwords_are_not_told() {
        for (url, told) in [
            ("https://hub.example/sync/", "https://hub.example/sync"),
            ("https://ann:s@e:c@hub.example:1/a@b:c", "https://ann@hub.example:1/a@b:c"),
            ("http://ann@[::1]:8080", "http://ann@[::1]:8080"),
            ("http://:secret@hub", "http://@hub"),
        ] {
            assert_eq!(name(url), told);
        }
    }

    #[test]
    fn a_token_goes_to_one_origin() {
        let given = |urls: &[&str], tokens: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            let peers = peers(&owned(urls), &owned(tokens))?;
            Ok::<_, String>(peers.into_iter().map(|peer| peer.token.unwrap_or_default()).collect::<Vec<_>>().join("|"))
        };
        let (near, far) = (["http://a/x", "http://A:80/y"], ["http://a/x", "https://a/y", "http://a/z"]);
        assert_eq!(given(&near, &["s"]).as_deref(), Ok("s|s"));
        assert_eq!(given(&near, &["s", "t"]).as_deref(), Ok("s|t"));
        assert_eq!(given(&far, &["s", "", "t"]).as_deref(), Ok("s||t"));
        assert_eq!(given(&far, &[]).as_deref(), Ok("||"));
        assert_eq!(given(&far, &[""]).as_deref(), Ok("||"));
        assert!(given(&far, &["s"]).is_err_and(|e| e.contains("http://a:80 and https://a:443") && !e.contains("s ")));
        assert!(given(&far, &["s", "t"]).is_err_and(|e| e.starts_with("2 tokens for 3 peers")));
        assert!(given(&near, &["s", "t", "u"]).is_err());
    }
}
