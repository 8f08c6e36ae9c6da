//! End-to-end and conformance tests: everything goes through HTTP or the command line, against the real server and a
//! real Postgres. Each test has a workspace of its own, so all of them run side by side.

mod activity;
mod commerce;
mod conformance;
mod feed;
mod harness;
mod insight;
mod people;
mod sales;
mod server;
mod workspace;
