//! How many requests somebody may send.

use serde_json::json;

use crate::harness::{Caller, Rapport, anonymous, database_url, workspace};

fn server(key: &str, workspace: &str, address: &str) -> Rapport {
    let limits = ["--rate-limit-key", key, "--rate-limit-workspace", workspace, "--rate-limit-address", address];
    Rapport::serve(&[&["--database-url", &database_url()], &limits[..]].concat())
}

#[test]
fn a_key_that_sends_too_much_is_told_when_to_go_on_and_others_are_not_stopped() {
    let (workspace, admin) = workspace();
    let server = server("5", "0", "0");
    let caller = Caller::new(&server.base, Some(admin.credential().to_owned()));
    for left in (0..5).rev() {
        let answer = caller.get("/v1/me");
        answer.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), "\"key\";q=5;w=60");
        assert!(answer.header("ratelimit").starts_with(&format!("\"key\";r={left};t=")), "{:?}", answer.headers);
    }
    let refused = caller.get("/v1/me");
    refused.expect_problem(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit").starts_with("\"key\";r=0;t="));
    Caller::new(&server.base, Some(workspace.admin().credential().to_owned())).get("/v1/me").expect(200);
    server.stop();
}

#[test]
fn a_workspace_that_sends_too_much_is_stopped_whoever_sends() {
    let (one, _) = workspace();
    let (_, other) = workspace();
    let server = server("0", "6", "0");
    let at = |caller: &Caller| Caller::new(&server.base, Some(caller.credential().to_owned()));
    (0..6).for_each(|_| at(&one.admin()).get("/v1/me").expect(200));
    let refused = at(&one.admin()).get("/v1/me");
    refused.expect_problem(429, "rate_limited");
    assert_eq!(refused.header("ratelimit-policy"), "\"workspace\";q=6;w=60");
    at(&other).get("/v1/me").expect(200);
    server.stop();
}

#[test]
fn strangers_are_counted_by_address_and_by_network_in_v6() {
    let (_, admin) = workspace();
    let server = server("0", "0", "4");
    let stranger = Caller::new(&server.base, None);
    let login = json!({"workspace": "no-such-workspace", "email": "nobody@example.com", "password": "wrong"});
    stranger.at("203.0.113.1").post("/v1/auth/login", &login).expect(401);
    stranger.at("203.0.113.1").get("/v1/me").expect(401);
    stranger.at("203.0.113.1").with("rk_nonsense").get("/v1/contacts").expect(401);
    stranger.at("203.0.113.1").send_unchecked("GET", "/v1/nonsense", &[], None).expect(404);
    stranger.at("203.0.113.1").get("/v1/me").expect_problem(429, "rate_limited");
    stranger.at("203.0.113.1").post("/v1/auth/login", &login).expect_problem(429, "rate_limited");
    stranger.at("203.0.113.2").get("/v1/me").expect_problem(401, "unauthorized");

    (0..4).for_each(|host| stranger.at(&format!("2001:db8::{host}")).get("/v1/me").expect(401));
    stranger.at("2001:db8::ffff").get("/v1/me").expect(429);
    stranger.at("2001:db8:0:1::1").get("/v1/me").expect(401);

    // Whoever has a valid key is not held to account for the neighbours.
    stranger.at("203.0.113.1").with(admin.credential()).get("/v1/me").expect(200);
    (0..10).for_each(|_| {
        stranger.at("203.0.113.1").get("/livez").expect(200);
        stranger.at("203.0.113.1").get("/readyz").expect(200);
    });
    server.stop();
}

#[test]
fn a_made_up_address_opens_no_second_account_where_no_proxy_is_trusted() {
    let server = Rapport::serve(&[
        "--database-url",
        &database_url(),
        "--rate-limit-address",
        "3",
        "--trusted-proxy",
        "192.0.2.0/24",
    ]);
    let stranger = Caller::new(&server.base, None);
    (0..3).for_each(|number| stranger.at(&format!("203.0.113.{number}")).get("/v1/me").expect(401));
    stranger.at("203.0.113.99").get("/v1/me").expect_problem(429, "rate_limited");
    server.stop();
}

#[test]
fn every_answer_tells_what_is_left() {
    let (_, admin) = workspace();
    for answer in [
        admin.get("/v1/contacts"),
        admin.post("/v1/contacts", &json!({})),
        admin.get("/v1/contacts/0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b"),
        admin.send("PUT", "/v1/contacts", &[], None),
        anonymous().get("/v1/me"),
        anonymous().get("/problems/busy"),
    ] {
        assert!(answer.header("ratelimit-policy").starts_with('"'), "{:?}", answer.headers);
        assert!(answer.header("ratelimit").contains(";r="), "{:?}", answer.headers);
    }
    assert_eq!(anonymous().get("/livez").header("ratelimit"), "");
}
