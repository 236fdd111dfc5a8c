//! The consent page: what an app wants, in the words of the API that offers it. Knows nothing of where consent is kept
//! or for how long.

use super::Visit;
use crate::answer::Answer;
use crate::authorize::{self, Next};
use crate::pages::escape;
use crate::pages::form::{Errors, Form};

pub(super) fn page(visit: &Visit<'_>) -> Answer {
    let who = authorize::who(visit.provider, &visit.browser);
    let next = authorize::next(
        visit.provider,
        visit.tenant,
        visit.client,
        &visit.journey,
        who.as_ref(),
        visit.now(),
    );
    let (Next::Consent(_), Some((account, _))) = (next, who) else {
        return visit.to("continue");
    };
    let wishes =
        wishes(visit).iter().map(|wish| format!("<li>{}</li>", escape(wish))).collect::<Vec<_>>().concat();
    let none = Errors::default();
    let form = Form {
        visit,
        step: "consent",
        title: "Permissions requested",
        lead: format!(
            "<strong>{}</strong> would like to, as {}:",
            escape(&visit.client.name),
            escape(&account.email)
        ),
        fields: Vec::new(),
        submit: "",
        after: String::new(),
    };
    let body = format!(
        "<ul class=\"wishes\">{wishes}</ul>\
         <button name=\"decision\" value=\"accept\">Accept</button>\
         <button class=\"quiet\" name=\"decision\" value=\"cancel\">Do not accept</button>"
    );
    visit.show(&none, form.page_with(&none, &body))
}

fn wishes(visit: &Visit<'_>) -> Vec<String> {
    let ask = &visit.journey.request.ask;
    let mut wishes = Vec::new();
    if ask.openid {
        wishes.push("Sign you in and know your name".to_owned());
    }
    if ask.email {
        wishes.push("See your email address".to_owned());
    }
    if ask.offline_access {
        wishes.push("Keep the access you give it while you are away".to_owned());
    }
    if let Some(api) = ask.api.as_deref().and_then(|id| visit.tenant.api(id)) {
        let asked = api.scopes.iter().filter(|scope| ask.scopes.contains(&scope.name));
        wishes.extend(asked.map(|scope| format!("{} ({})", scope.description, scope.name)));
    }
    wishes
}

pub(super) fn take(visit: &Visit<'_>) -> Answer {
    if visit.field("decision") != "accept" {
        return visit.cancel();
    }
    let Some((account, _)) = authorize::who(visit.provider, &visit.browser) else {
        return visit.to("continue");
    };
    visit.provider.consents.give(visit.tenant, visit.client, &account.oid, &visit.journey.request.ask);
    visit.provider.journeys.change(visit.id, |journey| journey.consented = true);
    visit.to("continue")
}
