//! People and organisations.

pub(crate) mod companies;
pub(crate) mod contacts;

use crate::routes::Routes;

/// The routes of this room. Fixed addresses stand before those with an id in the same place.
pub(crate) fn configure(routes: &mut impl Routes) {
    routes
        .service(contacts::list_contacts)
        .service(contacts::create_contact)
        .service(contacts::batch_contacts)
        .service(contacts::upsert_contact)
        .service(contacts::get_contact_by_external_id)
        .service(contacts::search_contacts)
        .service(contacts::list_contact_history)
        .service(contacts::list_contact_duplicates)
        .service(contacts::restore_contact)
        .service(contacts::get_contact)
        .service(contacts::update_contact)
        .service(contacts::delete_contact)
        .service(companies::list_companies)
        .service(companies::create_company)
        .service(companies::batch_companies)
        .service(companies::upsert_company)
        .service(companies::get_company_by_external_id)
        .service(companies::search_companies)
        .service(companies::list_company_history)
        .service(companies::restore_company)
        .service(companies::get_company)
        .service(companies::update_company)
        .service(companies::delete_company);
}
