//! A way to the server that may be written to, and a subscription to the channel. Finds it anew each time; knows nothing
//! of when that is due.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::select_ok;
use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub, PubSubStream};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ProtocolVersion, RedisConnectionInfo, RedisError,
    RedisResult, TlsCertificates, TlsMode, Value, cmd, from_redis_value,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::SetupError;
use super::failure::{Trouble, is_unknown_script};
use super::layout::Layout;
use super::scripts::{Ask, by_hash, by_text};
use super::settings::{Address, Mode, Sentinels, Settings, Tls};
use super::transport::Transport;

/// Commands that may wait for the connection at once; more wait before it.
const QUEUE: usize = 1_024;

/// Where commands go. Clones share it.
#[derive(Clone)]
pub(super) struct Link {
    to: To,
    channel: Vec<u8>,
}

#[derive(Clone)]
enum To {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// All that a gateway needs.
pub(super) struct Connected {
    pub(super) link: Link,
    pub(super) news: PubSubStream,
    /// Ends when the command connection does; a cluster's connections look after themselves.
    pub(super) driver: Driver,
    /// For people who read logs.
    pub(super) place: Address,
}

/// A task that ends with its owner.
pub(super) struct Driver(JoinHandle<()>);

impl Driver {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }

    /// Waits for it to end by itself.
    pub(super) async fn ended(&mut self) {
        let _ = (&mut self.0).await;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    /// The answer to one question.
    pub(super) async fn ask(&self, ask: &Ask) -> RedisResult<Value> {
        match ask {
            Ask::Command(command) => self.send(command).await,
            Ask::Run(script, key, arguments) => match self.send(&by_hash(script, key, arguments)).await {
                Err(error) if is_unknown_script(&error) => self.send(&by_text(script, key, arguments)).await,
                answer => answer,
            },
            Ask::Tell(message) => self.tell(message).await,
        }
    }

    async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        match self.to.clone() {
            To::One(mut connection) => connection.req_packed_command(command).await?.extract_error(),
            To::Cluster(mut connection) => connection.req_packed_command(command).await?.extract_error(),
        }
    }

    /// In a cluster everybody tells the same node. From there on messages stay in order, so that whoever hears its own
    /// heartbeat has heard everything that was told before.
    async fn tell(&self, message: &[u8]) -> RedisResult<Value> {
        let mut publish = cmd("PUBLISH");
        publish.arg(&self.channel).arg(message);
        match self.to.clone() {
            To::One(mut connection) => connection.req_packed_command(&publish).await?.extract_error(),
            To::Cluster(mut connection) => {
                let route = Route::with_key(&self.channel, SlotAddr::Master);
                let to = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route));
                connection.route_command(publish, to).await?.extract_error()
            }
        }
    }
}

/// Makes connections.
pub(super) struct Connector {
    settings: Settings,
    transport: Transport,
    cluster: Option<ClusterClient>,
    channel: Vec<u8>,
}

impl Connector {
    pub(super) fn new(settings: Settings, layout: &Layout) -> Result<Self, SetupError> {
        let transport = Transport::new(settings.tls.as_ref())?;
        let cluster = match &settings.mode {
            Mode::Cluster(addresses) => Some(cluster_client(&settings, addresses)?),
            Mode::Single(_) | Mode::Sentinel(_) => None,
        };
        Ok(Self { settings, transport, cluster, channel: layout.channel.clone() })
    }

    /// One try. `number` counts them, so that each may begin with another node.
    pub(super) async fn connect(&self, number: usize) -> Result<Connected, Trouble> {
        let limit = match &self.settings.mode {
            Mode::Single(_) => self.settings.connect_timeout,
            Mode::Sentinel(_) | Mode::Cluster(_) => self.settings.connect_timeout * 2,
        };
        let slow = |_| Trouble::TooSlow(limit.as_millis());
        timeout(limit, self.find(number)).await.map_err(slow)?
    }

    async fn find(&self, number: usize) -> Result<Connected, Trouble> {
        match &self.settings.mode {
            Mode::Single(address) => self.connect_to(address.clone()).await,
            Mode::Sentinel(sentinels) => {
                // The first that leads to a master counts: one that was cut off may still believe in an old one.
                let ways =
                    sentinels.addresses.iter().map(|sentinel| self.by_way_of(sentinel, sentinels).boxed());
                select_ok(ways).await.map(|(connected, _)| connected)
            }
            Mode::Cluster(addresses) => self.connect_to_cluster(addresses, number).await,
        }
    }

    async fn connect_to(&self, address: Address) -> Result<Connected, Trouble> {
        let login = self.login();
        let (connection, driver) = self.commands(&address, &login).await?;
        let news = self.subscribe(&address, &login).await?;
        let link = Link { to: To::One(connection), channel: self.channel.clone() };
        Ok(Connected { link, news, driver, place: address })
    }

    async fn by_way_of(&self, sentinel: &Address, all: &Sentinels) -> Result<Connected, Trouble> {
        let login =
            credentials(all.username.as_deref(), all.password.as_ref().map(|word| word.expose().as_str()));
        let (mut asked, _driver) = self.commands(sentinel, &login).await?;
        let refused = |error: RedisError| Trouble::Refused(sentinel.clone(), error);
        let mut question = cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&all.master);
        let answer: Option<(String, u16)> = question.query_async(&mut asked).await.map_err(refused)?;
        let unknown = || Trouble::UnknownMaster(sentinel.clone(), all.master.clone());
        let (host, port) = answer.ok_or_else(unknown)?;
        let connected = self.connect_to(Address { host, port }).await?;
        if is_master(&connected).await? { Ok(connected) } else { Err(Trouble::NotMaster(connected.place)) }
    }

    async fn connect_to_cluster(&self, addresses: &[Address], number: usize) -> Result<Connected, Trouble> {
        let client = self.cluster.as_ref().ok_or(Trouble::Nowhere)?;
        let connection = client.get_async_connection().await.map_err(Trouble::Cluster)?;
        // Every node hears what is told to one, so any that is up will do.
        let mut failed = Trouble::Nowhere;
        for step in 0..addresses.len() {
            let place = addresses[(number + step) % addresses.len()].clone();
            match self.subscribe(&place, &self.login()).await {
                Ok(news) => {
                    let link = Link { to: To::Cluster(connection), channel: self.channel.clone() };
                    let driver = Driver::spawn(std::future::pending());
                    return Ok(Connected { link, news, driver, place });
                }
                Err(trouble) => failed = trouble,
            }
        }
        Err(failed)
    }

    async fn commands(
        &self,
        address: &Address,
        login: &RedisConnectionInfo,
    ) -> Result<(MultiplexedConnection, Driver), Trouble> {
        let wire =
            self.transport.open(address).await.map_err(|error| Trouble::Connect(address.clone(), error))?;
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(self.settings.response_timeout))
            .set_pipeline_buffer_size(QUEUE);
        let (connection, driver) = MultiplexedConnection::new_with_config(login, wire, config)
            .await
            .map_err(|error| Trouble::Refused(address.clone(), error))?;
        Ok((connection, Driver::spawn(driver)))
    }

    async fn subscribe(
        &self,
        address: &Address,
        login: &RedisConnectionInfo,
    ) -> Result<PubSubStream, Trouble> {
        let wire =
            self.transport.open(address).await.map_err(|error| Trouble::Connect(address.clone(), error))?;
        let refused = |error: RedisError| Trouble::Refused(address.clone(), error);
        let (mut sink, stream) = PubSub::new(login, wire).await.map_err(refused)?.split();
        sink.subscribe(&self.channel).await.map_err(refused)?;
        Ok(stream)
    }

    fn login(&self) -> RedisConnectionInfo {
        let password = self.settings.password.as_ref().map(|word| word.expose().as_str());
        credentials(self.settings.username.as_deref(), password).set_db(self.settings.database.into())
    }
}

async fn is_master(connected: &Connected) -> Result<bool, Trouble> {
    let refused = |error: RedisError| Trouble::Refused(connected.place.clone(), error);
    let role = connected.link.send(&cmd("ROLE")).await.map_err(refused)?;
    let Value::Array(parts) = role else { return Ok(false) };
    let name = parts.into_iter().next().and_then(|part| from_redis_value::<String>(part).ok());
    Ok(name.as_deref() == Some("master"))
}

fn credentials(username: Option<&str>, password: Option<&str>) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(name) = username {
        login = login.set_username(name);
    }
    if let Some(word) = password {
        login = login.set_password(word);
    }
    login
}

fn cluster_client(settings: &Settings, addresses: &[Address]) -> Result<ClusterClient, SetupError> {
    let nodes = addresses.iter().map(|address| match &settings.tls {
        Some(_) => ConnectionAddr::TcpTls {
            host: address.host.clone(),
            port: address.port,
            insecure: false,
            tls_params: None,
        },
        None => ConnectionAddr::Tcp(address.host.clone(), address.port),
    });
    let mut builder = ClusterClientBuilder::new(nodes)
        .use_protocol(ProtocolVersion::RESP3)
        .connection_timeout(settings.connect_timeout)
        .response_timeout(settings.response_timeout)
        .overall_response_timeout(Some(OVERALL))
        .retries(4)
        .min_retry_wait(10)
        .max_retry_wait(100);
    if let Some(name) = &settings.username {
        builder = builder.username(name);
    }
    if let Some(word) = &settings.password {
        builder = builder.password(word.expose());
    }
    if let Some(Tls { private_ca }) = &settings.tls {
        builder = builder.tls(TlsMode::Secure);
        if let Some(pem) = private_ca {
            builder = builder.certs(TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) });
        }
    }
    builder.build().map_err(SetupError::Cluster)
}

/// How long a cluster's library may look for the right node.
const OVERALL: Duration = Duration::from_millis(850);
