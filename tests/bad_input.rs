//! Bad input: each call fails with a sentence that names the function, changes nothing, and leaves the host alive.
//! What is only unusual (a stamp far ahead, an unknown field, another type) is kept aside instead.

mod common;
mod support;

#[path = "bad_input/arguments.rs"]
mod arguments;
#[path = "bad_input/aside.rs"]
mod aside;
#[path = "bad_input/json.rs"]
mod json;
#[path = "bad_input/names.rs"]
mod names;
#[path = "bad_input/target.rs"]
mod target;
