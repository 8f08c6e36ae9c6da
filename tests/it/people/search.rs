//! Finding people by `q`.

use serde_json::json;

use crate::harness::{Caller, workspace};

fn sample() -> Caller {
    let (_, admin) = workspace();
    let company =
        admin.create("/v1/companies", &json!({"name": "Größenwahn & Söhne", "domain": "groessenwahn.example"}));
    for (first, last, mail, phone, employer) in [
        ("Søren", "Kierkegård", "soren@example.com", "+45 32 12 34 56", None),
        ("Zoë", "Müller-Lüdenscheid", "zoe.ml@example.org", "+49 30 901820", Some(&company["id"])),
        ("Katharina", "Schmidt", "k.schmidt@example.org", "+49 30 901821", Some(&company["id"])),
        ("Catherine", "Smith", "cathy@example.net", "+44 20 7946 0018", None),
        ("李", "明", "li.ming@example.cn", "+86 10 6552 9988", None),
        ("Анна", "Каренина", "anna.k@example.ru", "+7 495 123-45-67", None),
    ] {
        admin.create(
            "/v1/contacts",
            &json!({"first_name": first, "last_name": last, "emails": [{"address": mail}], "phones": [{"number": phone}],
                    "company_id": employer}),
        );
    }
    admin
}

fn encoded(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn people_are_found_by_whatever_part_is_known() {
    let admin = sample();
    let first = |query: &str| {
        let found = admin.get(&format!("/v1/contacts?q={}", encoded(query)));
        found.expect(200);
        found.names().first().map(|name| (*name).to_owned())
    };
    for (query, name) in [
        ("soren", "Søren Kierkegård"),
        ("KIERKEGARD", "Søren Kierkegård"),
        ("gård sør", "Søren Kierkegård"),
        ("mueller-lüdenscheid", "Zoë Müller-Lüdenscheid"),
        ("muller ludenscheid", "Zoë Müller-Lüdenscheid"),
        ("denschei", "Zoë Müller-Lüdenscheid"),
        ("zoe.ml@", "Zoë Müller-Lüdenscheid"),
        ("030 901820", "Zoë Müller-Lüdenscheid"),
        ("+49 (30) 901821", "Katharina Schmidt"),
        ("901821", "Katharina Schmidt"),
        ("größenwahn katharina", "Katharina Schmidt"),
        ("katarina", "Katharina Schmidt"),
        ("schmitd", "Katharina Schmidt"),
        ("cathrine smiht", "Catherine Smith"),
        ("李", "李 明"),
        ("каренин", "Анна Каренина"),
        ("Kareni", "nobody"),
        ("zzzz", "nobody"),
    ] {
        let expected = (name != "nobody").then(|| name.to_owned());
        assert_eq!(first(query), expected, "{query}");
    }
}

/// Whoever has the word inside another is not found as long as somebody has one that begins so.
#[test]
fn words_begin_behind_whatever_sign() {
    let (_, admin) = workspace();
    let signs = r#"( ' " # * / _ \ [ { ~ . ; ¿ « “ € → ★ 【 ・ 😀 ־ ، ؛ ۔ । ։ ። ។ ゠ ⸺"#;
    let names: Vec<String> = signs.split(' ').map(|sign| format!("Jo{sign}Anna")).collect();
    for name in &names {
        admin.create("/v1/contacts", &json!({"first_name": name}));
    }
    admin.create("/v1/contacts", &json!({"first_name": "Johanna", "last_name": "Jo1e5abc"}));
    admin.create("/v1/contacts", &json!({"first_name": "1e5abc"}));
    let listed = admin.get("/v1/contacts?q=anna&limit=100");
    let mut found = listed.names();
    found.sort_unstable();
    let mut expected: Vec<&str> = names.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(admin.get("/v1/contacts?q=1e5abc").names(), ["1e5abc"]);
}

#[test]
fn people_are_found_by_their_company() {
    let admin = sample();
    let mut found = admin.get("/v1/contacts?q=groessenwahn").names().join(", ");
    if found.is_empty() {
        found = admin.get(&format!("/v1/contacts?q={}", encoded("größenwahn"))).names().join(", ");
    }
    assert!(found.contains("Zoë") && found.contains("Katharina") && !found.contains("Søren"), "{found}");
    let names = |query: &str| {
        let answer = admin.get(&format!("/v1/contacts?q={}&sort=name", encoded(query)));
        answer.names().iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("größenwahn söhne"), ["Zoë Müller-Lüdenscheid", "Katharina Schmidt"]);
    assert_eq!(names("söhne zoë größenwahn"), ["Zoë Müller-Lüdenscheid"]);
    assert_eq!(names("öhne ößenw"), ["Zoë Müller-Lüdenscheid", "Katharina Schmidt"], "parts of words");
}

#[test]
fn the_best_match_comes_first_and_pages_fit_together() {
    let (_, admin) = workspace();
    for number in 0..9 {
        admin.create("/v1/contacts", &json!({"first_name": "Anna", "last_name": format!("Lindt{number}")}));
    }
    let exact = admin.create("/v1/contacts", &json!({"first_name": "Anna", "last_name": "Lindt"}));
    let listed = admin.all("/v1/contacts?q=anna%20lindt&limit=3");
    assert_eq!(listed.len(), 10);
    assert_eq!(listed[0]["id"], exact["id"]);
    let mut ids: Vec<_> = listed.iter().map(|contact| contact["id"].to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10);
    assert_eq!(admin.all("/v1/contacts?q=anna&sort=-name&limit=4")[0]["name"], "Anna Lindt8");
}

#[test]
fn parts_of_words_are_found_where_no_word_begins_so() {
    let (_, admin) = workspace();
    for (first, last, mail) in [
        ("Ute", "Meier", "ute@bergwerk.example"),
        ("Max", "Obermeier", "max.meierhof@example.org"),
        ("Eva", "Obermeier", "eva@example.net"),
        ("Jo", "Ödön-Berger", "jo+goldberg@example.com"),
    ] {
        admin.create("/v1/contacts", &json!({"first_name": first, "last_name": last, "emails": [{"address": mail}]}));
    }
    let found = |query: &str, parameters: &str| {
        let answer = admin.get(&format!("/v1/contacts?q={}&count=exact{parameters}", encoded(query)));
        let estimate = admin.get(&format!("/v1/contacts?q={}&count=estimate{parameters}", encoded(query)));
        assert_eq!(estimate.body["total"], answer.body["total"], "{query}: what is found is counted");
        let names: Vec<_> = answer.names().iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(answer.body["total"]["value"], names.len(), "{query}: {}", answer.text);
        names
    };
    for (query, names) in [
        // The whole word of a name, the beginning of one, that of another word.
        ("meier", vec!["Ute Meier", "Max Obermeier"]),
        ("berg", vec!["Jo Ödön-Berger", "Ute Meier"]),
        ("rmeie", vec!["Eva Obermeier", "Max Obermeier"]),
        ("MEIER ute", vec!["Ute Meier"]),
        ("meier ober", vec!["Max Obermeier"]),
        // Signs are spaces between words, but have to be there.
        ("odon-ber", vec!["Jo Ödön-Berger"]),
        ("don-ber", vec!["Jo Ödön-Berger"]),
        ("jo@", vec![]),
        ("max.meierhof@example", vec!["Max Obermeier"]),
        ("goldberg@example.com", vec!["Jo Ödön-Berger"]),
        ("ob", vec!["Eva Obermeier", "Max Obermeier"]),
    ] {
        let mut ranked = found(query, "");
        assert_eq!(ranked, names, "{query}");
        // In another order there are the same.
        let mut sorted = found(query, "&sort=-created_at");
        ranked.sort();
        sorted.sort();
        assert_eq!(sorted, ranked, "{query}");
    }
}

#[test]
fn pages_go_on_as_the_first_was_found() {
    let (_, admin) = workspace();
    for number in 0..7 {
        admin.create("/v1/contacts", &json!({"first_name": format!("Eva{number}"), "last_name": "Obermeier"}));
    }
    for query in ["obermeier", "bermei", "obermeir"] {
        for sort in ["", "&sort=name", "&sort=-created_at"] {
            let listed = admin.all(&format!("/v1/contacts?q={query}&limit=3{sort}"));
            let mut ids: Vec<_> = listed.iter().map(|contact| contact["id"].to_string()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!((listed.len(), ids.len()), (7, 7), "{query}{sort}");
        }
    }
    // Who begins so comes later than the first page of those who have it somewhere, and changes nothing for the second.
    let first = admin.get("/v1/contacts?q=bermei&limit=3&sort=name");
    admin.create("/v1/contacts", &json!({"first_name": "Ada", "last_name": "Bermeier"}));
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = admin.get(&format!("/v1/contacts?q=bermei&limit=3&sort=name&cursor={cursor}"));
    assert_eq!(second.names().len(), 3, "{}", second.text);
    assert_eq!(admin.get("/v1/contacts?q=bermei&limit=3&sort=name").names(), ["Ada Bermeier"]);
}

#[test]
fn words_without_spaces_between_them_are_found_anywhere() {
    let (_, admin) = workspace();
    for name in ["株式会社トヨタ", "トヨタ紡織", "บริษัทกรุงเทพ", "กรุงเทพ"]
    {
        admin.create("/v1/companies", &json!({"name": name}));
    }
    for (query, count) in [("トヨタ", 2), ("กรุงเทพ", 2), ("株式", 1)] {
        for sort in ["", "&sort=name"] {
            let found = admin.get(&format!("/v1/companies?q={}{sort}", encoded(query)));
            assert_eq!(found.names().len(), count, "{query}: {}", found.text);
        }
    }
}

#[test]
fn numbers_are_found_by_any_part_beside_words_that_begin_so() {
    let admin = sample();
    for sort in ["", "&sort=name"] {
        let found = |query: &str| admin.get(&format!("/v1/contacts?q={}{sort}", encoded(query)));
        assert_eq!(found("katha 1821").names(), ["Katharina Schmidt"]);
        assert_eq!(found("schm größen").names(), ["Katharina Schmidt"], "the company is one that begins so");
        assert_eq!(found("katha 1820").names(), Vec::<&str>::new());
    }
}

#[test]
fn what_people_type_is_never_a_pattern() {
    let admin = sample();
    for query in ["%", "_", "%%%%", "\\", "___"] {
        let answer = admin.get(&format!("/v1/contacts?q={}", encoded(query)));
        answer.expect_errors(&[("q", "nothing_to_search")]);
    }
    for query in ["a%a", "s_r", "100%", "'--", "so\\r", "so':*", "a|so", "so <-> ki"] {
        let answer = admin.get(&format!("/v1/contacts?q={}", encoded(query)));
        assert!(answer.status == 400 || answer.names().is_empty(), "{query}: {}", answer.text);
    }
}

#[test]
fn companies_are_found_by_name_and_domain() {
    let admin = sample();
    for query in ["größenwahn", "grossenwahn", "sohne", "groessenwahn.example", "grosenwahn"] {
        assert_eq!(
            admin.get(&format!("/v1/companies?q={}", encoded(query))).names(),
            ["Größenwahn & Söhne"],
            "{query}"
        );
    }
}
