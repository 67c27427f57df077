//! Found by a second reading of the code: each test states what is right.

mod common;
mod support;

mod reader {
    mod connections;
    mod exchange;
    mod family;
    mod schemas;
    mod showing;
    mod waiting;
}
