//! The conflict log: which writes met without knowing of each other, and what became of them.

mod common;
mod support;

mod conflicts {
    mod log;
    mod meeting;
    mod values;
}
