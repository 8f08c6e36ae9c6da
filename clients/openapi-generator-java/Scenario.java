import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.*;
import org.openapitools.client.model.*;

/** The scenario of docs/clients.md, through the client that OpenAPI Generator makes for Java (library native). */
public final class Scenario {
    private static int steps = 0;

    private static void done(String step) {
        System.out.println("  " + ++steps + ". " + step);
    }

    private static void expect(boolean condition, String message) {
        if (!condition) throw new IllegalStateException(message);
    }

    /** The problem of a call that is to be refused. */
    private static Problem problem(Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (ApiException error) {
            if (error.getResponseBody() == null) throw error; // nothing was answered
            return ApiClient.createDefaultObjectMapper().readValue(error.getResponseBody(), Problem.class);
        }
        throw new IllegalStateException("the call went well");
    }

    private static ApiClient client(String url) {
        ApiClient client = new ApiClient();
        client.updateBaseUri(url);
        return client;
    }

    public static void main(String[] arguments) throws Exception {
        String url = System.getenv().getOrDefault("RAPPORT_URL", "http://127.0.0.1:8080");
        String run = "Run " + UUID.randomUUID().toString().substring(0, 13);

        Login credentials = new Login().workspace("demo").email("mara@demo.example").password("rapport-demo-password");
        String token = new AuthenticationApi(client(url)).login(credentials).getAccessToken();
        ApiClient rapport = client(url);
        rapport.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
        ContactsApi contacts = new ContactsApi(rapport);
        ChangesApi changes = new ChangesApi(rapport);
        OpportunitiesApi opportunities = new OpportunitiesApi(rapport);
        done("signed in");

        String head = changes.listChanges(null, null, null, FeedStart.HEAD, null, null, null).getNextCursor();

        Company company = new CompaniesApi(rapport).createCompany(new NewCompany().name(run), null, null);
        NewContact ada = new NewContact().firstName("Ada").lastName(run).companyId(company.getId());
        ApiResponse<Contact> made = contacts.createContactWithHttpInfo(ada, null, null, null);
        Contact contact = made.getData();
        expect(made.getStatusCode() == 201 && company.getId().equals(contact.getCompanyId()), "the contact is not at the company");
        done("created a company and a contact");

        TextNode named = new TextNode().type(TextNode.TypeEnum.TEXT).field("last_name").op(TextOperator.EQ).value(run);
        PresentNode hasBirthday = new PresentNode().type(PresentNode.TypeEnum.PRESENT).field("birthday").value(true);
        NotNode without = new NotNode().type(NotNode.TypeEnum.NOT).node(new Node(hasBirthday));
        AllNode all = new AllNode().type(AllNode.TypeEnum.ALL).nodes(List.of(new Node(named), new Node(without)));
        Filter filter = new Filter().version(1).entity(Entity.CONTACT).where(new Node(all));
        ContactSearch search = new ContactSearch().filter(filter).expand(List.of(ContactRelation.COMPANY));
        List<Contact> found = contacts.searchContacts(search).getData();
        expect(found.size() == 1 && found.get(0).getExpanded().getCompany().getName().equals(run), "the filter found something else");
        done("found them with a filter tree");

        Set<UUID> ids = new HashSet<>();
        String cursor = null;
        do {
            ContactPage page = list(contacts, null, 2L, cursor);
            page.getData().forEach(record -> ids.add(record.getId()));
            cursor = page.getNextCursor();
        } while (cursor != null);
        expect(ids.contains(contact.getId()) && ids.size() > 2, "the pages lack somebody");
        done("paged through a list");

        String etag = made.getHeaders().get("etag").get(0);
        Contact patched = contacts.updateContact(contact.getId(), new ContactPatch().jobTitle("Analyst"), etag, null, null);
        expect("Analyst".equals(patched.getJobTitle()), "the patch did not take");
        Problem late = problem(() -> contacts.updateContact(contact.getId(), new ContactPatch().jobTitle("Countess"), etag, null, null));
        expect(late.getStatus() == 412 && late.getCode().equals("precondition_failed") && late.getCurrentVersion() == 2, "no 412");
        done("patched, and met a 412");

        CreateContactOperation good = create(new NewContact().lastName(run));
        CreateContactOperation bad = create(new NewContact());
        ContactBatch batch = new ContactBatch().operations(List.of(new ContactOperation(good), new ContactOperation(bad)));
        List<BatchResult> results = contacts.batchContacts(batch, null, null).getResults();
        expect(results.get(0).getStatus() == 201, "the good item was refused");
        expect(results.get(1).getError().getErrors().get(0).getPointer().equals("/data"), "the problem does not say where");
        done("sent a batch with one bad item");

        ContactPatch customer = new ContactPatch().lastName(run).jobTitle("Customer");
        String externalId = run.replace(' ', '-');
        String first = contacts.upsertContact("shop", externalId, customer, null, null, null, null).getResult().getValue();
        String second = contacts.upsertContact("shop", externalId, customer, null, null, null, null).getResult().getValue();
        expect(first.equals("created") && second.equals("unchanged"), "the upsert made two");
        done("upserted by external id, twice");

        LeadsApi leads = new LeadsApi(rapport);
        Lead lead = leads.createLead(new NewLead().lastName(run).companyName(run + " Ltd"), null, null, null);
        ConvertToOpportunity deal = new ConvertToOpportunity().values(new OpportunityPatch().name(run));
        ConvertLead wanted = new ConvertLead().opportunity(deal);
        LeadConversion conversion = leads.convertLead(lead.getId(), wanted, null, null, null);
        done("converted a lead");

        UUID opportunity = conversion.getOpportunityId();
        List<Stage> stages = new PipelinesApi(rapport).listPipelines(null, null, null, null).getData().get(0).getStages();
        List<UUID> open = stages.stream().filter(stage -> stage.getPropertyClass() == StageClass.OPEN).map(Stage::getId).toList();
        Opportunity moved = opportunities.moveOpportunity(opportunity, new MoveOpportunity().stageId(open.get(1)), null, null, null);
        expect(moved.getStageId().equals(open.get(1)), "it did not move");
        opportunities.winOpportunity(opportunity, new WinOpportunity(), null, null, null);
        Problem refused =
            problem(() -> opportunities.moveOpportunity(opportunity, new MoveOpportunity().stageId(open.get(0)), null, null, null));
        expect(refused.getStatus() == 409 && refused.getCode().equals("invalid_transition"), "the move was not refused");
        done("moved an opportunity, and met a refused move");

        Set<String> events = Set.of();
        for (int tries = 0; tries < 100 && !events.contains("opportunity.won"); tries++) {
            Thread.sleep(tries == 0 ? 0 : 50);
            List<JournalEntry> entries = changes.listChanges(null, null, null, null, 200L, head, null).getData();
            events = entries.stream().map(JournalEntry::getEvent).collect(Collectors.toSet());
        }
        expect(events.containsAll(List.of("contact.created", "opportunity.won")), "the feed lacks something");
        done("followed the change feed");

        String rehearsed = run + " Rehearsed";
        contacts.createContact(new NewContact().lastName(rehearsed), null, true, null);
        boolean left = list(contacts, rehearsed, null, null).getData().stream().anyMatch(record -> rehearsed.equals(record.getLastName()));
        expect(!left, "the rehearsal left something");
        done("rehearsed a write");

        Problem wrong = problem(() -> contacts.createContact(new NewContact().lastName(run).timeZone("Nowhere"), null, null, null));
        expect(wrong.getCode().equals("validation_failed"), "another problem");
        expect(wrong.getErrors().get(0).getPointer().equals("/time_zone"), "the problem does not say where");
        done("read a typed problem");
    }

    private static CreateContactOperation create(NewContact contact) {
        return new CreateContactOperation().op(CreateContactOperation.OpEnum.CREATE).data(contact);
    }

    /** A page of contacts: the generated method takes every parameter in its place. */
    private static ContactPage list(ContactsApi contacts, String words, Long limit, String cursor) throws ApiException {
        return contacts.listContacts(words, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
            limit, cursor, null, null, null, null);
    }
}
