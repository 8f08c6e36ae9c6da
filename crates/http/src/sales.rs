//! From the first sign of interest to the deal.

mod assignment_rules;
mod capture;
mod capture_forms;
mod exchange_rates;
mod lead_statuses;
pub(crate) mod leads;
mod lost_reasons;
mod opportunities;
mod pipelines;
mod products;

use crate::routes::Routes;

/// The routes of this room. Fixed addresses stand before those with an id in the same place.
pub(crate) fn configure(routes: &mut impl Routes) {
    routes
        .service(leads::list_leads)
        .service(leads::create_lead)
        .service(leads::batch_leads)
        .service(leads::upsert_lead)
        .service(leads::search_leads)
        .service(leads::list_lead_history)
        .service(leads::list_lead_status_changes)
        .service(leads::list_lead_duplicates)
        .service(leads::move_lead)
        .service(assignment_rules::assign_lead)
        .service(leads::recycle_lead)
        .service(leads::conversion::convert_lead)
        .service(leads::conversion::unconvert_lead)
        .service(leads::restore_lead)
        .service(leads::get_lead)
        .service(leads::update_lead)
        .service(leads::delete_lead)
        .service(lead_statuses::list_lead_statuses)
        .service(lead_statuses::create_lead_status)
        .service(lead_statuses::get_lead_status)
        .service(lead_statuses::update_lead_status)
        .service(lead_statuses::delete_lead_status)
        .service(lead_statuses::list_lead_status_history)
        .service(assignment_rules::list_assignment_rules)
        .service(assignment_rules::create_assignment_rule)
        .service(assignment_rules::get_assignment_rule)
        .service(assignment_rules::update_assignment_rule)
        .service(assignment_rules::delete_assignment_rule)
        .service(assignment_rules::list_assignment_rule_history)
        .service(capture_forms::list_capture_forms)
        .service(capture_forms::create_capture_form)
        .service(capture_forms::get_capture_form)
        .service(capture_forms::update_capture_form)
        .service(capture_forms::delete_capture_form)
        .service(capture_forms::rotate_capture_form)
        .service(capture_forms::list_capture_form_history)
        .service(capture_forms::list_capture_form_submissions)
        .service(capture_forms::list_lead_submissions)
        .service(capture::get_public_capture_form)
        .service(capture::submit_capture_form)
        .service(lost_reasons::list_lost_reasons)
        .service(lost_reasons::create_lost_reason)
        .service(lost_reasons::get_lost_reason)
        .service(lost_reasons::update_lost_reason)
        .service(lost_reasons::delete_lost_reason)
        .service(lost_reasons::list_lost_reason_history)
        .service(pipelines::list_pipelines)
        .service(pipelines::create_pipeline)
        .service(pipelines::get_pipeline)
        .service(pipelines::update_pipeline)
        .service(pipelines::delete_pipeline)
        .service(pipelines::list_pipeline_history)
        .service(pipelines::transfer_stage)
        .service(opportunities::list_opportunities)
        .service(opportunities::search_opportunities)
        .service(opportunities::batch_opportunities)
        .service(opportunities::upsert_opportunity)
        .service(opportunities::create_opportunity)
        .service(opportunities::get_opportunity)
        .service(opportunities::update_opportunity)
        .service(opportunities::delete_opportunity)
        .service(opportunities::restore_opportunity)
        .service(opportunities::list_opportunity_history)
        .service(opportunities::moves::move_opportunity)
        .service(opportunities::moves::win_opportunity)
        .service(opportunities::moves::lose_opportunity)
        .service(opportunities::moves::reopen_opportunity)
        .service(opportunities::moves::list_opportunity_stage_history)
        .service(opportunities::moves::list_opportunity_close_date_history)
        .service(products::list_products)
        .service(products::create_product)
        .service(products::batch_products)
        .service(products::upsert_product)
        .service(products::search_products)
        .service(products::list_product_history)
        .service(products::restore_product)
        .service(products::get_product)
        .service(products::update_product)
        .service(products::delete_product)
        .service(exchange_rates::list_exchange_rates)
        .service(exchange_rates::create_exchange_rate)
        .service(exchange_rates::load_exchange_rates)
        .service(exchange_rates::get_exchange_rate);
}
