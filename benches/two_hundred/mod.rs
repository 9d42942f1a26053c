//! Two hundred routes that differ only in their position: a server of pode that
//! declares them, and a router of axum.

use pode::prelude::*;

/// Declares a server with these routes, and lists their paths.
macro_rules! routes {
    ($($path:tt)*) => {
        pode_server! {
            pub(crate) server two_hundred;
            endpoint http 0;
            $(route GET $path (id: u64) => async |_: WebEvent, id: u64| text(id.to_string());)*
        }

        pub(crate) const PATHS: [&str; 200] = [$($path),*];
    };
}

routes! {
    "/000/:id" "/001/:id" "/002/:id" "/003/:id" "/004/:id" "/005/:id" "/006/:id" "/007/:id"
    "/008/:id" "/009/:id" "/010/:id" "/011/:id" "/012/:id" "/013/:id" "/014/:id" "/015/:id"
    "/016/:id" "/017/:id" "/018/:id" "/019/:id" "/020/:id" "/021/:id" "/022/:id" "/023/:id"
    "/024/:id" "/025/:id" "/026/:id" "/027/:id" "/028/:id" "/029/:id" "/030/:id" "/031/:id"
    "/032/:id" "/033/:id" "/034/:id" "/035/:id" "/036/:id" "/037/:id" "/038/:id" "/039/:id"
    "/040/:id" "/041/:id" "/042/:id" "/043/:id" "/044/:id" "/045/:id" "/046/:id" "/047/:id"
    "/048/:id" "/049/:id" "/050/:id" "/051/:id" "/052/:id" "/053/:id" "/054/:id" "/055/:id"
    "/056/:id" "/057/:id" "/058/:id" "/059/:id" "/060/:id" "/061/:id" "/062/:id" "/063/:id"
    "/064/:id" "/065/:id" "/066/:id" "/067/:id" "/068/:id" "/069/:id" "/070/:id" "/071/:id"
    "/072/:id" "/073/:id" "/074/:id" "/075/:id" "/076/:id" "/077/:id" "/078/:id" "/079/:id"
    "/080/:id" "/081/:id" "/082/:id" "/083/:id" "/084/:id" "/085/:id" "/086/:id" "/087/:id"
    "/088/:id" "/089/:id" "/090/:id" "/091/:id" "/092/:id" "/093/:id" "/094/:id" "/095/:id"
    "/096/:id" "/097/:id" "/098/:id" "/099/:id" "/100/:id" "/101/:id" "/102/:id" "/103/:id"
    "/104/:id" "/105/:id" "/106/:id" "/107/:id" "/108/:id" "/109/:id" "/110/:id" "/111/:id"
    "/112/:id" "/113/:id" "/114/:id" "/115/:id" "/116/:id" "/117/:id" "/118/:id" "/119/:id"
    "/120/:id" "/121/:id" "/122/:id" "/123/:id" "/124/:id" "/125/:id" "/126/:id" "/127/:id"
    "/128/:id" "/129/:id" "/130/:id" "/131/:id" "/132/:id" "/133/:id" "/134/:id" "/135/:id"
    "/136/:id" "/137/:id" "/138/:id" "/139/:id" "/140/:id" "/141/:id" "/142/:id" "/143/:id"
    "/144/:id" "/145/:id" "/146/:id" "/147/:id" "/148/:id" "/149/:id" "/150/:id" "/151/:id"
    "/152/:id" "/153/:id" "/154/:id" "/155/:id" "/156/:id" "/157/:id" "/158/:id" "/159/:id"
    "/160/:id" "/161/:id" "/162/:id" "/163/:id" "/164/:id" "/165/:id" "/166/:id" "/167/:id"
    "/168/:id" "/169/:id" "/170/:id" "/171/:id" "/172/:id" "/173/:id" "/174/:id" "/175/:id"
    "/176/:id" "/177/:id" "/178/:id" "/179/:id" "/180/:id" "/181/:id" "/182/:id" "/183/:id"
    "/184/:id" "/185/:id" "/186/:id" "/187/:id" "/188/:id" "/189/:id" "/190/:id" "/191/:id"
    "/192/:id" "/193/:id" "/194/:id" "/195/:id" "/196/:id" "/197/:id" "/198/:id" "/199/:id"
}

pub(crate) const FIRST: &str = "/000/7";
pub(crate) const LAST: &str = "/199/7";

pub(crate) fn axum_router() -> axum::Router {
    use axum::extract::Path;
    use axum::routing::get;

    PATHS.iter().fold(axum::Router::new(), |router, path| {
        let path = path.replace(":id", "{id}");
        router.route(&path, get(async |Path(id): Path<u64>| id.to_string()))
    })
}
