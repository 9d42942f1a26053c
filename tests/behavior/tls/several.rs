//! Several certificates at one address.

use super::authority::{Authority, Folder, shown};
use super::*;

pode_server! {
    server of_many_names(certificates: [Certificate; 3]);
    endpoint https "127.0.0.1:0" {
        certificate: [
            certificates[0].clone(),
            certificates[1].clone(),
            certificates[2].clone(),
        ],
    };
    route GET "/" => async |_| text("page");
}

#[tokio::test]
async fn a_client_is_shown_the_certificate_of_the_name_it_asks_for() {
    let authority = Authority::new();
    let of_names = [
        &["first.example", "localhost", "127.0.0.1"][..],
        &["*.shop.example", "shop.example"],
        &["www.shop.example"],
    ];
    let issued = of_names.map(|names| authority.issue(names));
    let folders = [(); 3].map(|()| Folder::new());
    for (folder, issued) in folders.iter().zip(&issued) {
        folder.put_pair(issued);
    }
    let server = start(of_many_names(folders.each_ref().map(Folder::pair))).await;
    let address = server.address(Protocol::Https).unwrap();
    let which = async |name: &str, config: ClientConfig| {
        let stream = connect(config, address, name).await.expect(name);
        let certificate = shown(&stream);
        assert_eq!(raw_over(stream, GET_PAGE).await.text(), "page");
        issued.iter().position(|issued| issued.der == certificate).expect("one of them")
    };
    for (name, index) in [
        ("first.example", 0),
        ("localhost", 0),
        // An IP address is no server name, so none is sent.
        ("127.0.0.1", 0),
        ("shop.example", 1),
        ("img.shop.example", 1),
        ("IMG.Shop.example", 1),
        ("www.shop.example", 2),
    ] {
        assert_eq!(which(name, authority.trusted()).await, index, "{name}");
    }

    // A client that requests another name is shown the first, and refuses it.
    let other = "a.b.shop.example";
    connect(authority.trusted(), address, other).await.expect_err("it is for other names");
    let mut trusting_anyone = authority.trusted();
    let curious = Arc::new(certificate::Curious::default());
    trusting_anyone.dangerous().set_certificate_verifier(curious);
    assert_eq!(which(other, trusting_anyone).await, 0);
}

#[tokio::test]
async fn each_of_several_is_renewed() {
    let authority = Authority::new();
    let folders = [(); 3].map(|()| Folder::new());
    let names = ["a.example", "b.example", "c.example"];
    for (folder, name) in folders.iter().zip(names) {
        folder.put_pair(&authority.issue(&[name]));
    }
    let server = start(of_many_names(folders.each_ref().map(Folder::pair))).await;
    let address = server.address(Protocol::Https).unwrap();
    for (folder, name) in folders.iter().zip(names).rev() {
        let issued = authority.issue(&[name]);
        folder.put_pair(&issued);
        let seen = async {
            while shown(&connect(authority.trusted(), address, name).await.unwrap()) != issued.der {
            }
        };
        within(seen, "the new certificate").await;
    }
}

#[tokio::test]
async fn one_that_cant_be_used_keeps_the_server_from_starting() {
    let (authority, good, bad) = (Authority::new(), Folder::new(), Folder::new());
    good.put_pair(&authority.issue(&["a.example"]));
    bad.put_pair(&authority.issue(&["b.example"]));
    bad.put("key.pem", "nothing");
    let error = of_many_names([good.pair(), bad.pair(), self_signed()]).start().await.unwrap_err();
    let key = bad.file("key.pem");
    let sentence =
        format!("endpoint `https` can't use `{}`: it holds no private key", key.display());
    assert_eq!(format!("{error:?}"), sentence);
}
