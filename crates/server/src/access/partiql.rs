//! What a statement of PartiQL does, and with which table ("IAM security policies with PartiQL for DynamoDB").

/// The action that a statement needs, without its prefix, and the table or index that it needs it for:
/// `mine`, or `mine/index/i`. Nothing if that cannot be told for certain.
pub(super) fn asked(statement: &str) -> Option<(&'static str, String)> {
    let words = words(statement)?;
    let is = |at: usize, keyword: &str| {
        let before = at.checked_sub(1).and_then(|before| words.get(before));
        let is_member = before == Some(&Word::Symbol('.'));
        matches!(words.get(at), Some(Word::Plain(word)) if !is_member && word.eq_ignore_ascii_case(keyword))
    };
    let (action, before) = [
        ("SELECT", "PartiQLSelect", "FROM"),
        ("EXISTS", "PartiQLSelect", "FROM"),
        ("INSERT", "PartiQLInsert", "INTO"),
        ("UPDATE", "PartiQLUpdate", "UPDATE"),
        ("DELETE", "PartiQLDelete", "FROM"),
    ]
    .into_iter()
    .find_map(|(first, action, before)| is(0, first).then_some((action, before)))?;
    let mut places = (0..words.len()).filter(|at| is(*at, before));
    let (Some(place), None) = (places.next(), places.next()) else {
        return None;
    };
    let name = |at: usize| match words.get(at)? {
        Word::Plain(name) | Word::Quoted(name) => Some(name.as_str()),
        Word::Symbol(_) => None,
    };
    let (table, end) = match words.get(place + 2) {
        Some(Word::Symbol('.')) => {
            let (table, index) = (name(place + 1)?, name(place + 3)?);
            (format!("{table}/index/{index}"), place + 4)
        }
        _ => (name(place + 1)?.to_owned(), place + 2),
    };
    // Anything else could be a second table.
    let follows = ["WHERE", "ORDER", "VALUE", "SET", "REMOVE", "RETURNING"];
    let is_all = match words.get(end) {
        None | Some(Word::Symbol(')' | ';')) => true,
        Some(_) => follows.iter().any(|keyword| is(end, keyword)),
    };
    is_all.then_some((action, table))
}

/// What statements consist of, but for the text of strings.
#[derive(PartialEq, Eq)]
enum Word {
    Plain(String),
    Quoted(String),
    Symbol(char),
}

/// Nothing if a quotation does not end, or if there is a comment, which DynamoDB does not know.
fn words(statement: &str) -> Option<Vec<Word>> {
    if statement.contains("--") || statement.contains("/*") {
        return None;
    }
    let mut words = Vec::new();
    let mut rest = statement.trim_start();
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '\'' | '"' => {
                let (text, after) = rest[1..].split_once(first)?;
                if first == '"' {
                    words.push(Word::Quoted(text.to_owned()));
                }
                after
            }
            _ => {
                let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
                let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end.max(first.len_utf8()));
                words.push(match end {
                    0 => Word::Symbol(first),
                    _ => Word::Plain(word.to_owned()),
                });
                after
            }
        };
        rest = rest.trim_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn statements_name_one_table() {
        let mut report = String::new();
        for statement in [
            r#"SELECT * FROM "mine" WHERE id = 'from theirs'"#,
            "select a.from, b from mine where id = ?",
            r#"SELECT * FROM "mine"."by-name" WHERE n = 'it''s'"#,
            r#"INSERT INTO "mine" VALUE {'id': 'a', 'into': 'theirs'}"#,
            r#"UPDATE "my.own" SET n = 1 WHERE id = 'a'"#,
            "DELETE FROM mine WHERE id = 'a'",
            "EXISTS(SELECT * FROM mine WHERE id = 'a')",
            "SELECT * FROM mine, theirs",
            "SELECT * FROM mine JOIN theirs ON true",
            "SELECT * FROM (SELECT * FROM theirs)",
            "SELECT 'a FROM mine",
            "SELECT * /* FROM mine */ FROM theirs",
            "DROP TABLE mine",
            "FROM",
            "SELECT * FROM",
            "é→\u{0}",
            "",
        ] {
            report += &match asked(statement) {
                Some((action, table)) => format!("{action} {table}: {statement}\n"),
                None => format!("unknown: {statement:?}\n"),
            };
        }
        expect![[r#"
            PartiQLSelect mine: SELECT * FROM "mine" WHERE id = 'from theirs'
            PartiQLSelect mine: select a.from, b from mine where id = ?
            PartiQLSelect mine/index/by-name: SELECT * FROM "mine"."by-name" WHERE n = 'it''s'
            PartiQLInsert mine: INSERT INTO "mine" VALUE {'id': 'a', 'into': 'theirs'}
            PartiQLUpdate my.own: UPDATE "my.own" SET n = 1 WHERE id = 'a'
            PartiQLDelete mine: DELETE FROM mine WHERE id = 'a'
            PartiQLSelect mine: EXISTS(SELECT * FROM mine WHERE id = 'a')
            unknown: "SELECT * FROM mine, theirs"
            unknown: "SELECT * FROM mine JOIN theirs ON true"
            unknown: "SELECT * FROM (SELECT * FROM theirs)"
            unknown: "SELECT 'a FROM mine"
            unknown: "SELECT * /* FROM mine */ FROM theirs"
            unknown: "DROP TABLE mine"
            unknown: "FROM"
            unknown: "SELECT * FROM"
            unknown: "é→\0"
            unknown: ""
        "#]]
        .assert_eq(&report);
    }
}
