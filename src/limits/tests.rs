use clap::Parser as _;

use super::*;
use crate::cli::Cli;

fn limits(flags: &[&str]) -> Limits {
    let cli = Cli::try_parse_from(["boardcast"].iter().chain(flags)).unwrap();
    Limits::new(&cli.config.limits, cli.config.max_message)
}

fn client(address: &str) -> ClientAddress {
    ClientAddress::new(address.parse().unwrap())
}

const AT_ONCE: Result<Duration, Exceeded> = Ok(Duration::ZERO);

#[test]
fn without_settings_only_messages_are_limited() {
    let limits = limits(&[]);
    let sessions: Vec<_> = (0..1000)
        .map(|_| limits.session(client("192.0.2.1")).unwrap())
        .collect();
    assert_eq!(limits.report().sessions, sessions.len());
    let own = Budget::default();
    let spend = || limits.spend(EventClass::Command, &own, None);
    let at_once = (0..3000).filter(|_| spend() == AT_ONCE).count();
    assert!((2000..2500).contains(&at_once), "{at_once}");
    let piled_up = (0..20_000).take_while(|_| spend().is_ok()).count();
    assert!(piled_up >= 10_000, "{piled_up}");
    let refused = spend().unwrap_err();
    assert_eq!(refused.limit, Limit::Commands);
    assert!(refused.retry_after <= MAX_DEBT + Duration::from_millis(5));
    assert_eq!(limits.spend(EventClass::Read, &own, None), AT_ONCE);
    assert!(limits.report().held_back > 10_000);
}

#[test]
fn sessions_are_limited_by_address_and_in_all() {
    let limits = limits(&["--max-connections=3", "--max-connections-per-ip=2"]);
    let here = client("192.0.2.1");
    let mut sessions = vec![limits.session(here).unwrap(), limits.session(here).unwrap()];
    assert_eq!(
        limits.session(here).unwrap_err().limit,
        Limit::ConnectionsPerIp
    );
    sessions.push(limits.session(client("192.0.2.2")).unwrap());
    let refused = limits.session(client("192.0.2.3")).unwrap_err();
    assert_eq!(
        (refused.limit, refused.retry_after),
        (Limit::Connections, FULL_RETRY)
    );
    sessions.clear();
    limits.session(here).unwrap();
    let report = serde_json::to_value(limits.report()).unwrap();
    assert_eq!(report["sessions"], 0);
    assert_eq!(report["refused"]["connections"], 1);
    assert_eq!(report["refused"]["connections_per_ip"], 1);
    assert_eq!(report["refused"]["commands"], 0);
}

#[test]
fn streams_are_limited_unless_a_trusted_proxy_has_them() {
    let limits = limits(&["--max-connections-per-ip=1", "--trusted-proxies=10.0.0.0/8"]);
    let open = |peer: &str| {
        let streams = (0..9).map(|_| limits.stream(peer.parse().unwrap()));
        streams.filter_map(Result::ok).collect::<Vec<_>>()
    };
    assert_eq!(open("192.0.2.1").len(), STREAMS_PER_SESSION);
    assert_eq!(open("::ffff:10.0.0.1").len(), 9);
    assert_eq!(limits.report().tcp_connections, 0);
}

#[test]
fn who_connects_again_and_again_is_refused_and_then_forgotten() {
    let limits = limits(&["--connect-rate-per-ip=1000/2"]);
    let knock = |address: u32| limits.session(ClientAddress::new(IpAddr::V4(address.into())));
    let refused = (0..100).find_map(|_| knock(1).err()).unwrap();
    assert_eq!(refused.limit, Limit::ConnectRatePerIp);
    assert!(refused.retry_after <= Duration::from_millis(1));
    assert!(knock(2).is_ok());
    for address in 0..100_000 {
        drop(knock(address));
    }
    std::thread::sleep(Duration::from_millis(3));
    for address in 0..100_000 {
        drop(knock(address));
    }
    let kept = limits.0.session_knocks.left.lock().len();
    assert!(kept < 100_000, "{kept}");
}

#[test]
fn a_user_shares_and_coming_anew_gives_no_more() {
    let limits = limits(&["--command-rate=1/4", "--user-command-rate=1/5"]);
    let spend = |own: &Budget, user: &Option<Arc<Budget>>| {
        limits.spend(EventClass::Command, own, user.as_deref())
    };
    let (first, user) = (Budget::default(), limits.budget_of("ann"));
    for _ in 0..4 {
        assert_eq!(spend(&first, &user), AT_ONCE);
    }
    assert!(spend(&first, &user).unwrap() > Duration::from_millis(900));
    drop(user);
    let (second, user) = (Budget::default(), limits.budget_of("ann"));
    let waits: Vec<_> = (0..3)
        .map(|_| spend(&second, &user).unwrap().as_secs_f64())
        .collect();
    assert!(
        waits.windows(2).all(|pair| pair[1] > pair[0] + 0.9),
        "{waits:?}"
    );
    // Others have what is theirs.
    let bob = limits.budget_of("bob");
    assert_eq!(spend(&Budget::default(), &bob), AT_ONCE);
}

#[test]
fn who_is_refused_for_the_users_sake_keeps_what_is_their_own() {
    let limits = limits(&["--command-rate=1/2", "--user-command-rate=1/1"]);
    let (own, user, bob) = (Budget::default(), Budget::default(), Budget::default());
    while limits
        .spend_shared(EventClass::Command, &user, MAX_DEBT)
        .is_ok()
    {}
    for _ in 0..9 {
        let refused = limits.spend(EventClass::Command, &own, Some(&user));
        assert_eq!(refused.unwrap_err().limit, Limit::UserCommands);
    }
    assert_eq!(limits.spend(EventClass::Command, &own, Some(&bob)), AT_ONCE);
}

#[test]
fn a_signal_is_not_held_back_for_long() {
    let limits = limits(&["--signal-rate=20/1"]);
    let own = Budget::default();
    let spend = || limits.spend(EventClass::Signal, &own, None);
    assert_eq!(spend(), AT_ONCE);
    let waits = (0..9).filter(|_| spend().is_ok()).count();
    assert!((2..4).contains(&waits), "{waits}");
    assert_eq!(spend().unwrap_err().limit, Limit::Signals);
}

#[test]
fn users_who_have_gone_are_forgotten() {
    let limits = limits(&["--user-command-rate=1000/1"]);
    let here = limits.budget_of("here");
    for number in 0..10_000 {
        let budget = limits.budget_of(&format!("user{number}"));
        let spent = limits.spend(EventClass::Command, &Budget::default(), budget.as_deref());
        assert!(spent.is_ok());
    }
    std::thread::sleep(Duration::from_millis(3));
    for number in 0..10_000 {
        drop(limits.budget_of(&format!("other{number}")));
    }
    assert!(limits.report().users < 10_000, "{:?}", limits.report());
    assert!(Arc::ptr_eq(
        &here.unwrap(),
        &limits.budget_of("here").unwrap()
    ));
}

#[test]
fn users_connections_are_limited() {
    let limits = limits(&["--max-connections-per-user=1"]);
    let place = limits.user_connection("ann").unwrap();
    assert_eq!(
        limits.user_connection("ann").unwrap_err().limit,
        Limit::ConnectionsPerUser
    );
    limits.user_connection("bob").unwrap();
    drop(place);
    limits.user_connection("ann").unwrap();
}

#[test]
fn whoever_waits_as_long_as_was_said_is_served() {
    let limits = limits(&["--command-rate=100/5", "--user-command-rate=1/5"]);
    let (own, shared) = (Budget::default(), Budget::default());
    let spend = || limits.spend(EventClass::Command, &own, Some(&shared));
    assert!((0..5).all(|_| spend() == AT_ONCE));
    let wait = spend().unwrap();
    assert!(wait > Duration::from_millis(900), "{wait:?}");
}

#[test]
fn who_shows_nothing_shares_with_others_of_the_address() {
    let limits = limits(&["--user-read-rate=1/2"]);
    let spend = |address: &str| {
        let budget = limits.budget_at(client(address)).expect("it is limited");
        limits.spend_shared(EventClass::Read, &budget, Duration::ZERO)
    };
    assert_eq!(
        [spend("192.0.2.1"), spend("::ffff:192.0.2.1")],
        [AT_ONCE; 2]
    );
    let refused = spend("192.0.2.1").unwrap_err();
    assert_eq!(refused.limit, Limit::UserReads);
    assert!(refused.retry_after <= Duration::from_secs(1));
    assert_eq!(spend("192.0.2.2"), AT_ONCE);
}

#[test]
fn a_read_costs_by_the_size_of_its_answer() {
    let limits = limits(&["--read-rate=1/100", "--user-read-rate=1/50"]);
    let (own, shared) = (Budget::default(), Budget::default());
    let spend = || limits.spend(EventClass::Read, &own, Some(&shared));
    limits.charge_read(39 * READ_UNIT, Some(&own), Some(&shared));
    let at_once = (0..100).filter(|_| spend() == AT_ONCE).count();
    assert_eq!(at_once, 11);
    assert_eq!(spend().unwrap_err().limit, Limit::UserReads);
    assert_eq!(
        limits.spend(EventClass::Command, &own, Some(&shared)),
        AT_ONCE
    );
}

#[test]
fn message_that_costs_more_is_served_and_paid_back() {
    let limits = limits(&["--read-rate=10/10", "--user-read-rate=10/1000"]);
    let (own, shared) = (Budget::default(), Budget::default());
    let spend = || limits.spend(EventClass::Read, &own, Some(&shared));
    assert_eq!(spend(), AT_ONCE);
    limits.charge_read(254 * READ_UNIT, Some(&own), Some(&shared));
    let wait = spend().unwrap();
    assert!(wait > Duration::from_secs(23), "{wait:?}");
    assert_eq!(
        limits.spend(EventClass::Command, &own, Some(&shared)),
        AT_ONCE
    );
}
