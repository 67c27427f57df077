//! What `value.rs` promises: every SQLite value there and back.

use proptest::prelude::*;

use super::*;

fn round(value: &Value, form: Form) -> Value {
    decode(&to_json(value.as_ref(), form)).expect("own output reads back")
}

pub fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), Just(1)].prop_map(Value::Integer),
        any::<u64>().prop_map(f64::from_bits).prop_filter("SQLite has no NaN", |r| !r.is_nan()).prop_map(Value::Real),
        prop_oneof![Just(-0.0), Just(f64::INFINITY), Just(f64::MIN_POSITIVE / 4.0), Just(1.0)].prop_map(Value::Real),
        any::<String>().prop_map(|s| Value::Text(s.into_bytes())),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Text),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Blob),
    ]
}

proptest! {
    #[test]
    fn every_value_survives_in_every_form(value in any_value(), form in prop_oneof![Just(Form::Plain), Just(Form::Json), Just(Form::Bool)]) {
        prop_assert!(identical(round(&value, form).as_ref(), value.as_ref()), "{}", to_json(value.as_ref(), form));
    }

    #[test]
    fn what_is_plain_is_what_we_would_write(
        json in prop_oneof![
            any_value().prop_map(|value| to_json(value.as_ref(), Form::Plain)),
            any_value().prop_map(|value| to_json(value.as_ref(), Form::Bool)),
            r#""([a-zü\u{ffff}\x01]|\\\\|\\"|\\n|\\/|\\u000a|\{|\[){0,6}""#,
            "-?[0-9]{0,3}|-?[0-9]{17,21}|true|null|1.0",
        ],
        form in prop_oneof![Just(Form::Plain), Just(Form::Json), Just(Form::Bool)],
    ) {
        if let Some(value) = plain(&json, form) {
            prop_assert!(decode(&json).is_ok_and(|other| identical(other.as_ref(), value.as_ref())), "{}", json);
            prop_assert_eq!(to_json(value.as_ref(), form), json.clone());
        }
        // What is refused is what cannot be read.
        if serde_json::from_str::<&serde_json::value::RawValue>(&json).is_ok() {
            prop_assert_eq!(check(&json).is_ok(), decode(&json).is_ok());
        }
    }

    #[test]
    fn json_text_survives_in_a_json_column(text in r#"[\[\{ ]("[a-z]"|1|null|:|,|[\]\} ]){0,8}"#) {
        let value = Value::Text(text.into_bytes());
        prop_assert!(identical(round(&value, Form::Json).as_ref(), value.as_ref()));
    }

    #[test]
    fn output_is_json(value in any_value()) {
        let json = to_json(value.as_ref(), Form::Plain);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{}", json);
    }
}

#[test]
fn forms_by_declared_type() {
    assert_eq!(Form::of("jsonb"), Form::Json);
    assert_eq!(Form::of("BOOLEAN"), Form::Bool);
    assert_eq!(Form::of("TEXT"), Form::Plain);
}

#[test]
fn reals_always_look_like_reals() {
    for (r, want) in [(1.0, "1.0"), (-0.0, "-0.0"), (1e16, "1e16"), (5e-324, "5e-324"), (0.1, "0.1")] {
        assert_eq!(to_json(ValueRef::Real(r), Form::Plain), want);
    }
}

#[test]
fn json_columns_send_json_only_when_it_comes_back() {
    let sent = |text: &str| to_json(ValueRef::Text(text.as_bytes()), Form::Json);
    assert_eq!(sent(r#"{"a":[1,"x y"]}"#), r#"{"a":[1,"x y"]}"#);
    assert_eq!(sent("[1, 2]"), "\"[1, 2]\"", "white space would be lost on the way");
    assert_eq!(sent(r#"{"$blob":"00"}"#), r#""{\"$blob\":\"00\"}""#, "would come back as a BLOB");
    assert_eq!(sent("[1"), "\"[1\"");
    assert_eq!(sent("12"), "\"12\"");
}

#[test]
fn bool_columns() {
    assert_eq!(to_json(ValueRef::Integer(1), Form::Bool), "true");
    assert_eq!(to_json(ValueRef::Integer(2), Form::Bool), "2");
    assert_eq!(decode("true").ok(), Some(Value::Integer(1)));
}

#[test]
fn numbers_that_no_column_can_hold_are_refused() {
    for bad in ["1e999", "-1e999", "NaN", "Infinity", "0x10", "1_000", "+1x"] {
        assert!(decode(bad).is_err(), "{bad}");
    }
    assert_eq!(decode("9223372036854775808").ok(), Some(Value::Real(9223372036854775808.0)));
}

#[test]
fn broken_tags_are_refused_and_near_tags_are_text() {
    for bad in [r#"{"$blob":"0"}"#, r#"{"$text":"zz"}"#, r#"{"$real":"NaN"}"#] {
        assert!(decode(bad).is_err(), "{bad}");
    }
    for text in [r#"{"$blob":1}"#, r#"{"$blob":"00","a":1}"#, r#"{"a":1}"#] {
        assert_eq!(decode(text).ok(), Some(Value::Text(text.as_bytes().to_vec())), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert!(decode(&deep(MAX_DEPTH)).is_ok());
    assert!(decode(&deep(MAX_DEPTH + 1)).is_err());
    assert_eq!(depth(r#"["[[[\"[["]"#), 1);
}

#[test]
fn what_is_no_value_is_refused() {
    for bad in ["", " ", "{", "{\"$blob\":\"00\"", "{\"$blob\":\"0\"}", "{\"$real\":\"1\"}", "1e999", "\"\\ud800\""] {
        assert!(decode(bad).is_err(), "{bad}");
    }
    for container in ["{\"$blob\":1}", "{\"$blob\":\"00\",\"a\":1}", "{\"$text\":[]}"] {
        assert_eq!(decode(container).unwrap(), Value::from(container), "an object like any other");
    }
}

#[test]
fn what_is_no_number_is_null() {
    assert_eq!(to_json(ValueRef::Real(f64::NAN), Form::Plain), "null");
}

#[test]
fn usual_escapes_and_bytes_that_no_string_may_hold() {
    let json = r#""a\r\t\n\"\\b""#;
    let text = plain(json, Form::Plain).expect("all of them are usual");
    assert!(identical(text.as_ref(), decode(json).unwrap().as_ref()));
    assert_eq!(text.as_ref().as_str(), Some("a\r\t\n\"\\b"));
    for bad in ["\"a\u{1}\"", "\"a\\n\u{1f}\"", "\"a\nb\""] {
        assert!(check(bad).is_err(), "{bad:?}");
    }
}
