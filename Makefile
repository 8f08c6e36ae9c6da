# `make` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help run test check openapi clients browser fuzz bench lint-openapi collection compatibility format release ci

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: ## Build Rapport and start it with sample data on a private Postgres
	cargo run --locked --package rapport-server --bin rapport -- serve --demo

test: ## Run all tests, against a real server and a real Postgres
	cargo test --locked --workspace

check: ## Check formatting, lints and the rules of dependencies
	cargo fmt --all -- --check
	.ci/dependencies
	cargo clippy --locked --workspace --all-targets -- --deny warnings

openapi: ## Write the OpenAPI documents anew from the code
	UPDATE_OPENAPI=1 cargo test --locked --package rapport-tests --test it -- the_checked_in_documents_are_current

clients: ## Make a client with each generator, and run a scenario through each
	clients/run

browser: ## Try the reference and the example page in headless Chromium
	tests/browser/run

fuzz: ## Try every operation of the OpenAPI document for an hour, with requests that fit and that don't
	tests/fuzz/run

lint-openapi: ## Check the OpenAPI documents with the rules of Redocly and Spectral, and that the collection is current
	openapi/lint

collection: ## Write the collection for Postman and Bruno anew from the OpenAPI document
	clients/install
	PATH="$(CURDIR)/clients/.venv/bin:$$PATH" node clients/collection.mjs

compatibility: ## Compare the OpenAPI document with that of the last release
	python3 -B openapi/test_compatibility.py
	python3 -B openapi/compatibility.py

format: ## Format the code
	cargo fmt --all

release: ## Build the binary for production: target/release/rapport
	cargo build --locked --release --package rapport-server

bench: ## Measure Rapport against its own database, and write the tables of bench/README.md
	bench/run

ci: ## Do what a submission must pass
	.ci/run
