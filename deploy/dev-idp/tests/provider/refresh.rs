//! Refresh tokens under rotation: what is counted, what an overlap forgives, and what changes between two refreshes.

use dev_idp::faults::{Fault, IdTokenFault, TokenFault};
use dev_idp::{Face, Family};
use serde_json::json;

use crate::app::{App, text};

fn family(app: &App) -> Family {
    let families = app.idp.refresh_families();
    assert_eq!(families.len(), 1);
    families[0].clone()
}

#[tokio::test]
async fn refreshes_and_reuses_are_counted_by_family() {
    let app = App::start().await;
    let first = app.tokens(&[]).await;
    assert_eq!((family(&app).refreshes, family(&app).revoked), (0, false));
    let second = app.refresh(text(&first, "refresh_token"), &[]).await.json();
    let third = app.refresh(text(&second, "refresh_token"), &[]).await.json();
    assert_eq!((family(&app).refreshes, family(&app).reuses), (2, 0));
    assert_eq!(app.refresh(text(&first, "refresh_token"), &[]).await.status, 400);
    assert_eq!(app.refresh(text(&third, "refresh_token"), &[]).await.status, 400);
    let family = family(&app);
    assert_eq!((family.refreshes, family.reuses, family.refused, family.revoked), (2, 1, 1, true));
    assert_eq!((family.client_id.as_str(), Some(family.oid)), ("todo-web", app.idp.oid("alice@example.com")));
    let claims = app.verify(text(&first, "id_token"), "todo-web").await;
    assert_eq!(claims["sid"], family.sid);
}

#[tokio::test]
async fn an_overlap_gives_the_same_successor_again_with_a_new_access_token() {
    let app = App::start().await;
    app.idp.edit_lifetimes(|lifetimes| lifetimes.refresh_overlap = 30);
    let first = app.tokens(&[]).await;
    let lost = app.refresh(text(&first, "refresh_token"), &[]).await.json();
    let again = app.refresh(text(&first, "refresh_token"), &[]).await.json();
    assert_eq!(lost["refresh_token"], again["refresh_token"]);
    assert_ne!(lost["access_token"], again["access_token"]);
    assert_eq!((family(&app).refreshes, family(&app).repeats), (1, 1));
    assert_eq!(app.refresh(text(&again, "refresh_token"), &[]).await.status, 200);
    let theft = app.refresh(text(&first, "refresh_token"), &[]).await;
    assert_eq!((theft.status.as_u16(), family(&app).reuses), (400, 1), "its successor was used");
}

#[tokio::test]
async fn an_overlap_ends() {
    let app = App::start().await;
    app.idp.edit_lifetimes(|lifetimes| lifetimes.refresh_overlap = 30);
    let first = app.tokens(&[]).await;
    assert_eq!(app.refresh(text(&first, "refresh_token"), &[]).await.status, 200);
    app.later(31);
    assert_eq!(app.refresh(text(&first, "refresh_token"), &[]).await.status, 400);
    assert!(family(&app).revoked);
}

#[tokio::test]
async fn lifetimes_change_while_it_runs() {
    let app = App::start().await;
    let long = app.tokens(&[]).await;
    app.idp.edit_lifetimes(|lifetimes| lifetimes.access_token = 5);
    let short = app.refresh(text(&long, "refresh_token"), &[]).await.json();
    assert_eq!((&long["expires_in"], &short["expires_in"]), (&json!(3600), &json!(5)));
    let access = text(&short, "access_token");
    assert_eq!(app.userinfo(access).await.status, 200);
    app.later(5);
    assert_eq!(app.userinfo(access).await.status, 401);
    assert_eq!(app.userinfo(text(&long, "access_token")).await.status, 200);
}

#[tokio::test]
async fn a_person_is_revoked_whole() {
    let app = App::start().await;
    let tokens = app.tokens(&[]).await;
    assert!(app.idp.revoke("alice@example.com") && !app.idp.revoke("nobody@example.com"));
    assert_eq!(app.refresh(text(&tokens, "refresh_token"), &[]).await.status, 400);
    assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 401);
    assert_eq!((family(&app).refused, family(&app).reuses), (1, 0));
}

#[tokio::test]
async fn roles_of_today_stand_in_the_refreshed_id_token_and_its_session_stays() {
    let mut app = App::start().await;
    for face in [Face::Plain, Face::Entra] {
        app.face = face;
        app.idp.assign_app_roles("alice@example.com", "todo-web", &["Reader"]);
        let first = app.tokens(&[]).await;
        app.idp.assign_app_roles("alice@example.com", "todo-web", &["Manager"]);
        let second = app.refresh(text(&first, "refresh_token"), &[]).await.json();
        let before = app.verify(text(&first, "id_token"), "todo-web").await;
        let after = app.verify(text(&second, "id_token"), "todo-web").await;
        assert_eq!((&before["roles"], &after["roles"]), (&json!(["Reader"]), &json!(["Manager"])));
        assert!(before["sid"].is_string() && before["sid"] == after["sid"], "{face:?}");
    }
}

#[tokio::test]
async fn refreshed_id_tokens_alone_are_wrong_as_asked() {
    let app = App::start().await;
    let faults = app.idp.faults();
    faults.set(Fault::RefreshedIdToken(IdTokenFault::OtherSub));
    let first = app.tokens(&[]).await;
    let second = app.refresh(text(&first, "refresh_token"), &[]).await.json();
    let before = app.verify(text(&first, "id_token"), "todo-web").await;
    let after = app.verify(text(&second, "id_token"), "todo-web").await;
    assert_ne!(before["sub"], "somebody-else");
    assert_eq!(after["sub"], "somebody-else");
    faults.clear();
    faults.edit_refreshed_id_token(|_, claims| drop(claims.insert("roles".to_owned(), json!(["Edited"]))));
    let first = app.tokens(&[]).await;
    let second = app.refresh(text(&first, "refresh_token"), &[]).await.json();
    assert!(!app.verify(text(&first, "id_token"), "todo-web").await.contains_key("roles"));
    assert_eq!(app.verify(text(&second, "id_token"), "todo-web").await["roles"], json!(["Edited"]));
}

#[tokio::test]
async fn refusals_on_demand_spend_nothing_and_only_entra_says_a_suberror() {
    let mut app = App::start().await;
    let faults = app.idp.faults();
    for face in [Face::Plain, Face::Entra] {
        app.face = face;
        let tokens = app.tokens(&[]).await;
        let refresh = text(&tokens, "refresh_token");
        let refused = async |fault| {
            faults.once(Fault::Refresh(fault));
            let page = app.refresh(refresh, &[]).await;
            assert_eq!(page.status, 400, "{fault:?}");
            let answer = page.json();
            (text(&answer, "error").to_owned(), answer["suberror"].as_str().map(str::to_owned))
        };
        let said = |error: &str, suberror: Option<&str>| (error.to_owned(), suberror.map(str::to_owned));
        let (interaction, consent) = match face {
            Face::Plain => (said("interaction_required", None), said("consent_required", None)),
            Face::Entra => (
                said("interaction_required", Some("basic_action")),
                said("invalid_grant", Some("consent_required")),
            ),
        };
        assert_eq!(refused(TokenFault::InteractionRequired).await, interaction);
        assert_eq!(refused(TokenFault::ConsentRequired).await, consent);
        assert_eq!(refused(TokenFault::InvalidGrant).await, said("invalid_grant", None));
        assert_eq!(app.refresh(refresh, &[]).await.status, 200);
    }
}
