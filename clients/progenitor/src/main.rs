//! The scenario of docs/clients.md, through the client that progenitor makes.

#[allow(warnings, clippy::all)]
mod client {
    include!(concat!(env!("OUT_DIR"), "/client.rs"));
}

use std::{collections::HashSet, env, fmt::Debug, time::Duration};

use client::{
    Client,
    types::{
        self, AllNode, AllNodeType, ContactBatch, ContactOperation, ContactPatch, ContactRelation, ContactSearch,
        ConvertLead, ConvertToOpportunity, CreateContactOperation, CreateContactOperationOp, Entity, FeedStart, Filter,
        Login, MoveOpportunity, NewCompany, NewContact, NewLead, NotNode, NotNodeType, OpportunityPatch, PresentNode,
        PresentNodeType, Problem, StageClass, TextNode, TextNodeType, TextOperator, WinOpportunity,
    },
};
use futures::TryStreamExt;
use progenitor_client::{ByteStream, Error, ResponseValue};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error>;

/// Tells of the steps that went well.
struct Steps(u32);

impl Steps {
    fn done(&mut self, step: &str) {
        self.0 += 1;
        println!("  {}. {step}", self.0);
    }
}

/// The problem of a call that is to be refused. Progenitor gives it as the bytes that came.
async fn problem<T: Debug>(answer: Result<ResponseValue<T>, Error<ByteStream>>) -> Result<Problem, Failure> {
    match answer {
        Err(Error::ErrorResponse(response)) => {
            let parts: Vec<_> = response.into_inner_stream().try_collect().await?;
            Ok(serde_json::from_slice(&parts.concat())?)
        }
        other => Err(format!("not refused: {other:?}").into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut steps = Steps(0);
    let url = env::var("RAPPORT_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned());
    let run = format!("Run {}", &Uuid::new_v4().simple().to_string()[..12]);

    let login = Login::builder().workspace("demo").email("mara@demo.example").password("rapport-demo-password");
    let token = Client::new(&url).login().body(login).send().await?.access_token.clone();
    let authorization = HeaderValue::from_str(&format!("Bearer {token}"))?;
    let http =
        reqwest::Client::builder().default_headers(HeaderMap::from_iter([(AUTHORIZATION, authorization)])).build()?;
    let rapport = Client::new_with_client(&url, http);
    steps.done("signed in");

    let head = rapport.list_changes().from(FeedStart::Head).send().await?.next_cursor.clone();

    let company = rapport.create_company().body(NewCompany::builder().name(run.as_str())).send().await?.into_inner();
    let ada = NewContact::builder()
        .first_name("Ada".parse::<types::NewContactFirstName>()?)
        .last_name(run.parse::<types::NewContactLastName>()?)
        .company_id(company.id);
    let made = rapport.create_contact().body(ada).send().await?;
    let etag = made.headers().get("etag").ok_or("no ETag")?.to_str()?.to_owned();
    let contact = made.into_inner();
    assert_eq!(contact.company_id, Some(company.id));
    steps.done("created a company and a contact");

    let named: TextNode = TextNode::builder()
        .type_(TextNodeType::Text)
        .field("last_name")
        .op(TextOperator::Eq)
        .value(run.parse::<types::TextNodeValue>()?)
        .try_into()?;
    let has_birthday: PresentNode =
        PresentNode::builder().type_(PresentNodeType::Present).field("birthday").value(true).try_into()?;
    let without: NotNode = NotNode::builder().type_(NotNodeType::Not).node(Box::new(has_birthday.into())).try_into()?;
    let all: AllNode =
        AllNode::builder().type_(AllNodeType::All).nodes(vec![named.into(), without.into()]).try_into()?;
    let filter: Filter = Filter::builder().version(1).entity(Entity::Contact).where_(all).try_into()?;
    let search = ContactSearch::builder().filter(filter).expand(vec![ContactRelation::Company]);
    let found = rapport.search_contacts().body(search).send().await?.into_inner().data;
    assert_eq!(found.iter().map(|record| record.id).collect::<Vec<_>>(), [contact.id]);
    let expanded = found[0].expanded.as_ref().and_then(|expanded| expanded.company.as_ref());
    assert_eq!(expanded.and_then(|company| company.name.as_deref()), Some(run.as_str()));
    steps.done("found them with a filter tree");

    let (mut ids, mut cursor) = (HashSet::new(), None);
    loop {
        let mut request = rapport.list_contacts().limit(2);
        if let Some(cursor) = cursor {
            request = request.cursor::<types::ListContactsCursor>(cursor);
        }
        let page = request.send().await?.into_inner();
        ids.extend(page.data.iter().map(|record| record.id));
        match page.next_cursor {
            Some(next) => cursor = Some(next.parse()?),
            None => break,
        }
    }
    assert!(ids.contains(&contact.id) && ids.len() > 2);
    steps.done("paged through a list");

    let patch = async |title: &str| {
        let body = ContactPatch::builder().job_title(title.parse::<types::ContactPatchJobTitle>().ok());
        rapport.update_contact().contact_id(contact.id).if_match(etag.as_str()).body(body).send().await
    };
    assert_eq!(patch("Analyst").await?.job_title.as_deref(), Some("Analyst"));
    let late = problem(patch("Countess").await).await?;
    assert_eq!(
        (late.status, late.code.as_str(), late.current_version.map(u64::from)),
        (412, "precondition_failed", Some(2))
    );
    steps.done("patched, and met a 412");

    let create = |contact: types::builder::NewContact| -> Result<ContactOperation, Failure> {
        let operation: CreateContactOperation =
            CreateContactOperation::builder().op(CreateContactOperationOp::Create).data(contact).try_into()?;
        Ok(operation.into())
    };
    let last_name = run.parse::<types::NewContactLastName>()?;
    let operations = vec![create(NewContact::builder().last_name(last_name.clone()))?, create(NewContact::builder())?];
    let results = rapport
        .batch_contacts()
        .body(ContactBatch::builder().operations(operations))
        .send()
        .await?
        .into_inner()
        .results;
    assert_eq!(results[0].status, 201);
    let refused = results[1].error.as_ref().and_then(|problem| problem.errors[0].pointer.as_deref());
    assert_eq!(refused, Some("/data"));
    steps.done("sent a batch with one bad item");

    let external_id = run.replace(' ', "-");
    let upsert = async || {
        let body = ContactPatch::builder().last_name(run.parse::<types::ContactPatchLastName>().ok());
        rapport.upsert_contact().connection("shop").external_id(external_id.as_str()).body(body).send().await
    };
    assert_eq!(
        (upsert().await?.result.to_string(), upsert().await?.result.to_string()),
        ("created".to_owned(), "unchanged".to_owned())
    );
    steps.done("upserted by external id, twice");

    let lead = NewLead::builder()
        .last_name(run.parse::<types::NewLeadLastName>()?)
        .company_name(run.parse::<types::NewLeadCompanyName>()?);
    let lead = rapport.create_lead().body(lead).send().await?.into_inner();
    let values: OpportunityPatch =
        OpportunityPatch::builder().name(run.parse::<types::OpportunityPatchName>().ok()).try_into()?;
    let deal: ConvertToOpportunity = ConvertToOpportunity::builder().values(values).try_into()?;
    let wanted = ConvertLead::builder().opportunity(deal);
    let conversion = rapport.convert_lead().lead_id(lead.id).body(wanted).send().await?.into_inner();
    steps.done("converted a lead");

    let opportunity = conversion.opportunity_id.ok_or("no opportunity")?;
    let pipelines = rapport.list_pipelines().send().await?.into_inner().data;
    let open: Vec<Uuid> =
        pipelines[0].stages.iter().filter(|stage| stage.class == StageClass::Open).map(|stage| stage.id).collect();
    let move_to = async |stage: Uuid| {
        rapport
            .move_opportunity()
            .opportunity_id(opportunity)
            .body(MoveOpportunity::builder().stage_id(stage))
            .send()
            .await
    };
    assert_eq!(move_to(open[1]).await?.stage_id, Some(open[1]));
    rapport.win_opportunity().opportunity_id(opportunity).body(WinOpportunity::builder()).send().await?;
    let refused = problem(move_to(open[0]).await).await?;
    assert_eq!((refused.status, refused.code.as_str()), (409, "invalid_transition"));
    steps.done("moved an opportunity, and met a refused move");

    let mut events = HashSet::new();
    for _ in 0..100 {
        let page = rapport.list_changes().cursor(head.as_str()).limit(200).send().await?.into_inner();
        events = page.data.into_iter().map(|entry| entry.event.to_string()).collect();
        if events.contains("opportunity.won") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(events.contains("contact.created") && events.contains("opportunity.won"), "{events:?}");
    steps.done("followed the change feed");

    let rehearsed = format!("{run} Rehearsed");
    let body = NewContact::builder().last_name(rehearsed.parse::<types::NewContactLastName>()?);
    rapport.create_contact().dry_run(true).body(body).send().await?;
    let after = rapport.list_contacts().q(rehearsed.as_str()).send().await?.into_inner().data;
    assert!(after.iter().all(|record| record.last_name.as_deref() != Some(rehearsed.as_str())));
    steps.done("rehearsed a write");

    let nowhere = NewContact::builder().last_name(last_name).time_zone("Nowhere".parse::<types::NewContactTimeZone>()?);
    let wrong = problem(rapport.create_contact().body(nowhere).send().await).await?;
    assert_eq!((wrong.code.as_str(), wrong.errors[0].pointer.as_deref()), ("validation_failed", Some("/time_zone")));
    steps.done("read a typed problem");
    Ok(())
}
