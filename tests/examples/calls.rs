//! The examples about calls: retries, a saga, and a fan-out.

use persevere_tests::example_program::Folder;

#[test]
fn retries_try_again_until_the_station_answers_and_not_when_it_is_unknown() {
    let folder = Folder::new();
    assert_eq!(
        folder.run("retries", &[]).success(),
        [
            "attempt 1: the station does not answer",
            "attempt 2: the station does not answer",
            "attempt 3: 21 degrees",
            "It is 21 degrees.",
        ]
    );
    assert_eq!(
        folder.run("retries", &["--unknown"]).success(),
        ["attempt 1: there is no such station", "No measurement: there is no such station."]
    );
    let silent = folder.run("retries", &["--failures", "9"]).success();
    assert_eq!(silent.len(), 6, "{silent:?}");
    assert_eq!(silent[5], "No measurement: the station does not answer.");
}

#[test]
fn saga_books_everything_or_cancels_in_reverse_order() {
    let folder = Folder::new();
    assert_eq!(
        folder.run("saga", &[]).success(),
        ["booked the flight", "booked the hotel", "booked the car", "The trip is booked: flight-1, hotel-1, car-1."]
    );
    assert_eq!(
        folder.run("saga", &["--sold-out", "car"]).success(),
        [
            "booked the flight",
            "booked the hotel",
            "the car is sold out",
            "cancelled hotel-1",
            "cancelled flight-1",
            "There is no trip: the saga failed, and its finished steps were undone.",
        ]
    );
}

#[test]
fn fan_out_says_what_became_of_each_picture() {
    let folder = Folder::new();
    assert_eq!(
        folder.run("fan_out", &[]).success(),
        [
            "10 uploaded",
            "failed: the call failed: picture 5 is damaged",
            "failed: the call failed: picture 10 is damaged",
            "0 not tried",
        ]
    );
    let stopped = folder.run("fan_out", &["--damaged-every", "1", "--stop-after", "2"]).success();
    let last = stopped.last().unwrap();
    assert_eq!(stopped[0], "0 uploaded");
    // Up to three pictures run at a time, so a third one may have failed together with the second.
    assert!(last == "10 not tried" || last == "9 not tried" || last == "8 not tried", "{stopped:?}");
}
