//! Invitations: how users come to a first password.

use actix_web::{HttpRequest, HttpResponse, post, web};
use rapport_domain::{
    id::UserId,
    workspace::invite::{InviteAcceptance, InviteSent, TokenPurpose},
};
use rapport_persistence::{
    Db, Writer,
    workspace::{
        invites::{self, Issued},
        passwords as store,
    },
};
use uuid::Uuid;

use super::passwords::{hashed, scope_of};
use crate::{
    answer,
    auth::{Auth, UsersWrite, password::Passwords},
    body::Json,
    mail::{MailError, Post},
    problem::ApiResult,
};

/// Invite user again
///
/// Sends an invitation to a user who has not accepted one yet. It works once, within 7 days; one from before ends. The
/// answer says whether the mail was handed over for delivery.
#[utoipa::path(
    tag = "Users", operation_id = "invite_user",
    params(("user_id" = Uuid, Path, description = "Id of the user")),
    responses(
        (status = 200, description = "The invitation, and what became of the mail", body = InviteSent),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["users:write"]))
)]
#[post("/users/{user_id}/invite")]
pub(crate) async fn invite_user(
    auth: Auth<UsersWrite>,
    id: web::Path<Uuid>,
    db: web::Data<Db>,
    post: web::Data<Post>,
) -> ApiResult<HttpResponse> {
    let id = UserId::from_uuid(id.into_inner());

    let issue = move |writer: &mut Writer<'_>| {
        let issued = invites::issue(writer, id)?;
        let detail = "The invitation is made; nothing is known of the mail yet.".to_owned();
        let made = InviteSent { user_id: issued.user, expires_at: issued.expires_at, delivered: false, detail };
        Ok((answer::json(&made)?, issued))
    };
    auth.write_then(&db, issue, async move |_, issued| answer::json(&send(&post, &issued).await)).await
}

/// Sends an invitation that is kept by now, and says what became of the mail.
pub(crate) async fn send(post: &Post, issued: &Issued) -> InviteSent {
    let mail = post.invite(&issued.email, &issued.name, &issued.workspace, &issued.token);
    let (delivered, detail) = match post.send(mail).await {
        Ok(()) => (true, "The invitation is on its way."),
        Err(MailError::NotConfigured) => {
            (false, "The mail was not delivered, because this server has no outbox. Start it with --outbox.")
        }
        Err(MailError::Failed(_)) => {
            (false, "The mail could not be written; the log of the server says why. Invite the user again.")
        }
    };
    InviteSent { user_id: issued.user, expires_at: issued.expires_at, delivered, detail: detail.to_owned() }
}

/// Accept invitation
///
/// Takes the token from the mail and a first password. The token works once; sign in with the password afterwards.
#[utoipa::path(
    tag = "Authentication", operation_id = "accept_invite", request_body = InviteAcceptance,
    responses((status = 204, description = "The user can sign in now")),
    security()
)]
#[post("/auth/accept-invite")]
pub(crate) async fn accept_invite(
    body: Json<InviteAcceptance>,
    db: web::Data<Db>,
    passwords: web::Data<Passwords>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let InviteAcceptance { token, name, password } = body.0;
    let holder = invites::find(&db, &token, TokenPurpose::Invite).await?.ok_or_else(invites::invalid_token)?;
    let hash = hashed(&passwords, password, &holder.email, "/password").await?;

    let (user, scope) = (holder.user, scope_of(&holder, &request));
    db.write(&scope, move |writer| store::accept_invite(writer, user, &token, name.clone(), &hash)).await?;

    Ok(HttpResponse::NoContent().finish())
}
