//! The examples as a newcomer meets them: as programs, with their arguments, their output and their files.

mod calls;
mod http_server;
mod traces;

use persevere_tests::example_program::Folder;
use persevere_tests::root;

/// Returns the cities in the log, in order.
fn greeted(folder: &Folder, log: &str) -> Vec<String> {
    folder.lines(log).iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn hello_cities_continues_after_a_crash_and_repeats_no_recorded_greeting() {
    let folder = Folder::new();
    let crashed = folder.run("hello_cities", &["Tokyo", "Seattle", "London", "--crash-after", "1"]);
    assert_eq!(
        crashed.lines,
        [
            "Greeting Tokyo, Seattle, London.",
            "0/3 greeting Tokyo",
            "1/3 greeting Seattle",
            "Aborting as requested, with 1 of 3 greetings recorded. Run the program again to continue.",
        ]
    );
    assert!(!crashed.status.success());
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&crashed.status),
        Some(6),
        "the process must abort, not exit"
    );
    assert_eq!(greeted(&folder, "hello_cities.log"), ["Tokyo"]);

    let resumed = folder.run("hello_cities", &["Graz"]).success();
    assert_eq!(
        resumed,
        [
            "Continuing the unfinished instance: Tokyo, Seattle, London.",
            "To greet Graz, run the program again afterwards.",
            "1/3 greeting Seattle",
            "2/3 greeting London",
            "3/3 done",
            "Hello Tokyo!",
            "Hello Seattle!",
            "Hello London!",
            r#"Custom status: {"done":3,"total":3,"greeting":null}"#,
        ]
    );
    assert_eq!(greeted(&folder, "hello_cities.log"), ["Tokyo", "Seattle", "London"]);

    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for line in crashed.lines.iter().chain(&resumed).filter(|line| !line.contains("Graz")) {
        assert!(readme.contains(line.as_str()), "the README shows another output than {line:?}");
    }
}

#[test]
fn hello_cities_continues_after_a_kill() {
    let folder = Folder::new();
    let mut first = folder.start("hello_cities", &["Tokyo", "Seattle", "London"]);
    first.wait_for("1/3 greeting Seattle");
    first.kill();
    let lines = folder.run("hello_cities", &[]).success();
    assert_eq!(lines[0], "Continuing the unfinished instance: Tokyo, Seattle, London.");
    let mut greeted = greeted(&folder, "hello_cities.log");
    assert_eq!(greeted.iter().filter(|city| *city == "Tokyo").count(), 1, "it was recorded");
    // The kill may have happened between a greeting and its record.
    greeted.dedup();
    assert_eq!(greeted, ["Tokyo", "Seattle", "London"]);
}

#[test]
fn hello_cities_starts_anew_after_a_finished_run_in_the_database_that_it_is_given() {
    let folder = Folder::new();
    let database = folder.path().join("there").join("my.db");
    std::fs::create_dir(database.parent().unwrap()).unwrap();
    for _ in 0..2 {
        let lines = folder.run("hello_cities", &["Oslo", "--database", database.to_str().unwrap()]).success();
        assert_eq!(lines[..3], ["Greeting Oslo.", "0/1 greeting Oslo", "1/1 done"]);
    }
    assert_eq!(greeted(&folder, "there/hello_cities.log"), ["Oslo", "Oslo"]);
    assert!(database.exists() && !folder.path().join("hello_cities.db").exists());
}

#[test]
fn a_second_process_is_refused_while_the_first_has_the_database() {
    let folder = Folder::new();
    let many: Vec<String> = (0..600).map(|city| format!("City{city}")).collect();
    let mut first = folder.start("hello_cities", &many.iter().map(String::as_str).collect::<Vec<_>>());
    first.wait_for("0/600");
    let error = folder.run("hello_cities", &[]).failure(1);
    assert!(error.contains("hello_cities.db is in use by another runtime: stop that runtime first"), "{error}");
    // The first process has not noticed anything.
    first.wait_for("1/600");
    first.kill();
}

#[test]
fn reserve_ticket_has_all_its_outcomes() {
    let folder = Folder::new();
    let cases: [(&[&str], &str, &str, &str); 6] = [
        (&["--confirm"], "", "confirmed", "Thank you! Your seats are reserved."),
        (&["--decline"], "", "declined", "You declined the offer. The seats are released."),
        (&["--wait", "--within", "1"], "", "too late", "You did not answer in time. The offer has expired."),
        (&[], "y\n", "confirmed", "Thank you! Your seats are reserved."),
        (&[], "n\n", "declined", "You declined the offer. The seats are released."),
        (&["--within", "1"], "", "too late", "You did not answer in time. The offer has expired."),
    ];
    for (arguments, input, outcome, message) in cases {
        let lines = folder.run_with_input("reserve_ticket", arguments, input).success();
        assert_eq!(lines[0], "Discount: 5 %", "{lines:#?}");
        assert!(lines[1].contains(" at https://tickets.example/ticket/"), "{lines:#?}");
        let end = [format!("Outcome: {outcome}"), format!(r#"Custom status: {{"closed":{{"message":"{message}"}}}}"#)];
        assert!(lines.ends_with(&end), "{lines:#?}");
    }
}

#[test]
fn the_discount_of_reserve_ticket_grows_with_the_seats_up_to_a_limit() {
    let folder = Folder::new();
    for (seats, discount) in [("1", 0), ("2", 5), ("4", 15), ("5", 20), ("9", 20)] {
        let lines = folder.run("reserve_ticket", &["--confirm", "--seats", seats]).success();
        assert_eq!(lines[0], format!("Discount: {discount} %"));
    }
}

#[test]
fn an_offer_of_reserve_ticket_outlives_the_process_that_made_it() {
    let folder = Folder::new();
    let mut first = folder.start("reserve_ticket", &["--within", "600"]);
    first.wait_for("Answer by ");
    first.kill();
    let lines = folder.run("reserve_ticket", &["--confirm"]).success();
    assert_eq!(lines[0], "An earlier offer is still open, and its time has kept running.");
    assert!(lines[2].starts_with("Answer by "), "{lines:#?}");
    assert_eq!(lines[3], "Outcome: confirmed");
}

#[test]
fn city_recommender_recommends_by_interest_and_refines_by_choice() {
    let folder = Folder::new();
    let cases = [
        ("1", "Kyoto, Prague, Cusco", "spring, autumn", "Cusco", "autumn"),
        ("2", "Lisbon, Split, Cape Town", "summer, autumn", "Lisbon", "summer"),
        ("3", "Sapporo, Innsbruck, Banff", "winter, summer", "Sapporo", "winter"),
    ];
    for (interest, cities, seasons, choice, season) in cases {
        let expected = [
            format!("Cities:  {cities}"),
            format!("Seasons: {seasons}"),
            format!("Go to {choice} in {season}."),
            format!(r#"Custom status: {{"cities":["{choice}"],"seasons":["{season}"]}}"#),
        ];
        let lines = folder.run("city_recommender", &[interest, "--choose", choice]).success();
        assert_eq!(lines, expected);
        let asked = folder.run_with_input("city_recommender", &[interest], &choice.to_lowercase()).success();
        assert_eq!(asked, [&expected[..2], &["Which city? ".to_owned()], &expected[2..]].concat());
    }
    let asked = folder.run_with_input("city_recommender", &["--choose", "Banff"], "3\n").success();
    assert_eq!(asked[0], "What do you like? 1: old towns, 2: the sea, 3: snow ");
    assert_eq!(asked[3], "Go to Banff in summer.");
}

#[test]
fn the_orchestrators_own_error_comes_out_of_city_recommender() {
    let error = Folder::new().run("city_recommender", &["1", "--choose", "Banff"]).failure(1);
    assert_eq!(
        error,
        "error: the orchestration failed: Banff is not one of the recommended cities: Kyoto, Prague, Cusco\n"
    );
}

#[test]
fn bad_arguments_are_named_and_leave_nothing_behind() {
    let cases: [(&str, &[&str], i32, &str); 9] = [
        ("hello_cities", &["--crash-after", "0"], 2, "--crash-after"),
        ("hello_cities", &["--crash-after", "soon"], 2, "--crash-after"),
        ("hello_cities", &["--databse", "x.db"], 2, "--database"),
        (
            "hello_cities",
            &["--database", "not/there/my.db"],
            1,
            "not/there/my.db cannot be opened: its folder `not/there` does not exist",
        ),
        ("city_recommender", &["4"], 2, "4 is not in 1..=3"),
        ("city_recommender", &[], 1, "no answer was given: pass it as an argument (see --help)"),
        ("reserve_ticket", &["--confirm", "--decline"], 2, "cannot be used with '--decline'"),
        ("reserve_ticket", &["--seats", "0"], 2, "0 is not in 1..=9"),
        ("reserve_ticket", &["--within", "-1"], 2, "-1"),
    ];
    for (example, arguments, code, text) in cases {
        let folder = Folder::new();
        let error = folder.run(example, arguments).failure(code);
        assert!(error.contains(text), "{example} {arguments:?}: {error}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "{example} {arguments:?}");
    }
}
