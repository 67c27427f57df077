//! What a change says must not come before its cause. Pure.

use super::Body;
use crate::clock::Hlc;
use crate::error::{Error, Result};

/// Most adds that a remove of several elements may name.
const MAX_SHARED_TAGS: usize = 16;

/// Refuses what nothing stamped `hlc` can say.
pub fn check(body: &Body, hlc: &Hlc) -> Result<()> {
    match body {
        Body::Tombstone { forgotten: Some(until) } if until > hlc => {
            Err(Error::peer(format!("a delete stamped {hlc} cannot have forgotten what is stamped {until}")))
        }
        Body::Counter { born: Some(born), .. } if born > hlc => {
            Err(Error::peer(format!("totals stamped {hlc} cannot have begun at {born}")))
        }
        // Each tag is looked for with each element: a short text must not ask for much memory.
        Body::Remove { elements, tags: Some(tags) } if elements.len() > 1 && tags.len() > MAX_SHARED_TAGS => {
            Err(Error::peer(format!(
                "a remove of several elements names at most {MAX_SHARED_TAGS} adds; send one change for each element"
            )))
        }
        Body::Remove { tags: Some(tags), .. } => match tags.iter().find(|tag| *tag > hlc) {
            Some(late) => Err(Error::peer(format!("a remove stamped {hlc} cannot have seen an add stamped {late}"))),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}
