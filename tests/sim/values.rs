//! The values that are written, as SQL literals. The first of each pool is what shrinking ends at.

/// Values of every class and their edges.
pub const VALUES: &[&str] = &[
    "'a'",
    "1",
    "NULL",
    "'b'",
    "''",
    "0",
    "-1",
    "42",
    "9223372036854775807",
    "-9223372036854775808",
    "9007199254740993",
    "9223372036854775808",
    "1.0",
    "-1.5",
    "0.1",
    "-0.0",
    "5e-324",
    "2.2250738585072011e-308",
    "1.7976931348623157e308",
    "9e999",
    "-9e999",
    "1e100",
    "123456789012345680.0",
    "'é😀'",
    "char(1114111, 8232, 127, 65533)",
    "char(10, 9, 13, 8, 1)",
    "'\"\\/<&>'",
    "char(0)",
    "'a' || char(0) || 'b'",
    "CAST(x'ff' AS TEXT)",
    "CAST(x'eda080' AS TEXT)",
    "CAST(x'61c3' AS TEXT)",
    "x''",
    "x'00ff'",
    "x'61'",
    "'1'",
    "' 1 '",
    "'1e3'",
    "'null'",
    "'true'",
    "'[1,2]'",
    "'{\"a\":1}'",
    "'{\"$blob\":\"00\"}'",
    "'{\"$real\":\"Infinity\"}'",
];

pub const INTS: &[&str] = &["1", "2", "NULL", "9223372036854775807", "-9223372036854775808", "1.0", "'3'"];
pub const REALS: &[&str] = &["1.5", "-0.0", "NULL", "5e-324", "9e999", "-9e999", "7", "0.1"];
pub const TEXTS: &[&str] = &["'a'", "'é😀'", "NULL", "''", "char(0)", "CAST(x'ff' AS TEXT)", "12"];
pub const BLOBS: &[&str] = &["x'00'", "x''", "NULL", "x'ff61'", "CAST('a' AS BLOB)"];
pub const BOOLS: &[&str] = &["1", "0", "NULL", "2", "'true'", "'x'", "1.5", "'1'"];
pub const CLAIMS: &[&str] = &["1", "2", "NULL", "'x'", "1.0", "'X'"];
pub const PARENTS: &[&str] = &["NULL", "'a'", "'b'", "'c'", "'d'"];
pub const JSONS: &[&str] = &[
    "'{\"a\":1}'",
    "'[1,2]'",
    "'{ \"a\" : 1 }'",
    "'{\"$blob\":\"00\"}'",
    "'{\"a\":1,\"a\":2}'",
    "'[1.0,1e2,-0]'",
    "'[9223372036854775808,1e400]'",
    "'[\"\\u0061\",\"é\"]'",
    "'[\"\\ud800\"]'",
    "'[1'",
    "'\"a\"'",
    "'1'",
    "NULL",
    "replace(hex(zeroblob(150)), '00', '[') || replace(hex(zeroblob(150)), '00', ']')",
];
/// What is added to a counter, or what it is set to.
pub const COUNTS: &[&str] = &["1", "2", "5", "0", "-1", "-3", "100", "NULL"];
/// The same where it may saturate.
pub const EDGES: &[&str] = &["1", "-1", "9223372036854775807", "-9223372036854775808", "4611686018427387904"];
/// Set elements; the first four are met most.
pub const ELEMENTS: &[&str] = &[
    "\"a\"",
    "\"b\"",
    "1",
    "1.0",
    "{\"b\":1,\"a\":[2.50]}",
    "{ \"a\" : [2.5], \"b\":1.0 }",
    "null",
    "true",
    "[1, 2]",
    "\"é\"",
    "\"\\u00e9\"",
    "\"\\u0000\"",
    "\"a\\/b\"",
    "\"a/b\"",
    "0.1",
    "1e2",
    "100",
    "-7",
    "9223372036854775807",
    "\"\"",
    "\"\\\"\\\\\\n\\ud83d\\ude00\"",
    "1e-7",
    "\"it''s\"",
];
