//! The whole system, from the outside: every test starts a site of its own and asks it as a browser, a program or an
//! attacker would. `tests/README.md` says which test shows which requirement.

mod acme; // certificates that the gateway gets for itself
mod admin; // sessions and metrics for operators
mod api; // the to-do service, behind and beside the gateway
mod attempts; // sign-ins that nobody finishes
mod backchannel; // the provider ends sessions
mod balance; // several servers of one upstream
mod big_bodies; // more than fits into memory
mod callback; // the provider's answer
mod config; // configurations that must not start
mod consent; // tokens that people must agree to
mod cookies; // the gateway's cookies
mod cors; // scripts of other origins
mod csrf; // requests that other sites make
mod doctor; // set-ups that will not work, and what to type
mod entra; // the provider as an Entra External ID tenant
mod explain; // what would become of a request
mod files; // static files
mod frontchannel; // the provider ends sessions by way of a browser
mod grpc; // trailers, and what goes with them
mod guides; // the guides to providers
mod header_edits; // headers that routes change
mod headers; // what passes to upstreams and back
mod hosts; // several addresses of one gateway
mod http1; // HTTP that only attackers write
mod http2; // HTTP/2, as clients and attackers speak it
mod id_token; // every check of an ID token
mod identity; // who asks, as upstreams are told
mod initiate; // sign-ins that another site wishes for
mod keys; // the provider's signing keys
mod kinds; // whose tokens go upstream
mod lifecycle; // how the process begins and ends
mod limits; // how much one client may ask
mod logs; // what is written down, and what never is
mod metadata; // the provider's metadata, its absence, health
mod observability; // lines, metrics and traces
mod outfits; // what answers wear
mod own_sessions; // where a person is signed in
mod pages; // what people and programs are told when something is wrong
mod paths; // one reading of every path
mod providers; // several of them
mod proxies_in_front; // whom a proxy speaks for
mod pushed; // requests that no browser carries, and claims from userinfo
mod readme; // the table of requirements and tests
mod redirects; // where people can be sent
mod refresh_race; // many requests that need one new token
mod reload; // another configuration while the gateway runs
mod retries; // what is sent once more, and what never is
mod rewrites; // other paths inside than outside
mod rotation; // identifiers of sessions change
mod session; // how long people stay signed in, and whose session it is
mod sign_in; // what the provider is asked
mod sign_out; // here first, then there
mod sign_out_elsewhere; // there first, then here
mod sign_up; // new accounts and new passwords
mod soak; // everything fails in turn
mod stores; // where sessions are kept
mod streams; // bodies on their way
mod strength; // how people proved who they are
mod support; // words that many tests share
mod systemd; // the process and its service manager
mod tabs; // many sign-ins at once
mod timeouts; // how long a route waits
mod tls; // TLS that ends at the gateway
mod token_endpoint; // spending the code
mod tokens; // access tokens and their renewal
mod upstreams; // what stands behind the gateway
mod websocket; // tunnels, and all that stays open while a session lasts
