//! The numbers that identify mistakes.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal,)*) => {
        /// A rule of the language, as messages name it: `PODE017`.
        ///
        /// A number never changes its meaning, and a retired one is not used
        /// again. Each has a paragraph in `docs/checks.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])* $name = $number,)*
        }

        impl Code {
            /// Every code, by its number.
            pub const ALL: &[Code] = &[$(Code::$name),*];
        }
    };
}

codes! {
    // The language.
    /// A declaration that can't be read, or that lacks a part.
    Unreadable = 1,
    /// A block that doesn't begin with `server name;`.
    ServerHead = 2,
    /// An unknown noun.
    UnknownDeclaration = 3,
    /// A `;` that is missing.
    MissingSemicolon = 4,
    /// A declaration without a handler.
    MissingHandler = 5,
    /// A reply where a handler should be.
    ReplyForHandler = 6,
    /// An option that the noun doesn't have.
    UnknownOption = 7,
    /// An attribute that has no meaning for a declaration.
    UnknownAttribute = 8,
    /// Two values of one type.
    StateTwice = 9,

    // Routes, and other things at a path.
    /// A path that no request can have.
    Path = 10,
    /// A path parameter whose name is not an identifier, or is another part of
    /// the request.
    Parameter = 11,
    /// Two parameters of one name.
    ParameterTwice = 12,
    /// A catch-all that is not the last segment.
    RestNotLast = 13,
    /// A path that belongs to pode itself.
    ReservedPath = 14,
    /// An unknown HTTP method.
    UnknownMethod = 15,
    /// A method that is listed twice.
    MethodTwice = 16,
    /// Two routes for the same requests.
    RouteTwice = 17,
    /// Two routes for some of the same requests, neither more specific.
    RoutesCross = 18,
    /// A route that no request reaches.
    Unreachable = 19,
    /// Advice: two parameter names at one position in paths with the same
    /// beginning.
    ParameterNames = 20,
    /// A redirect with a parameter that the path doesn't have.
    RedirectParameter = 21,
    /// A filter that would answer every request.
    MountAtRoot = 22,
    /// A prefix whose requests a mounted filter answers.
    UnderMount = 23,
    /// A parameter in a path that must be fixed.
    NotFixed = 24,
    /// A redirect to a path that this server doesn't answer.
    RedirectTarget = 25,
    /// A path parameter in the notation of another framework.
    OtherNotation = 26,
    /// An option that stands twice.
    OptionTwice = 27,
    /// An option whose value is written in another form.
    OptionValue = 28,

    // What handlers take.
    /// An argument that no part of the request provides.
    UnknownArgument = 30,
    /// A path parameter that no argument takes.
    ParameterNotTaken = 31,
    /// An argument from the body of a request that has none.
    NoBody = 32,
    /// Two arguments from the body.
    TwoBodies = 33,
    /// Two arguments of one name.
    ArgumentTwice = 34,
    /// More arguments than a handler takes.
    TooManyArguments = 35,
    /// An `async` closure that borrows a parameter of the server.
    CapturingClosure = 36,
    /// A query or a form that is read as something without fields.
    NoFields = 37,
    /// A closure that takes more or fewer arguments than there are.
    ClosureArguments = 38,
    /// A handler that would borrow what it is given.
    BorrowedArgument = 39,

    // Endpoints.
    /// A protocol that pode doesn't support.
    UnknownProtocol = 40,
    /// An address that can't be listened on.
    Address = 41,
    /// Two endpoints of one name.
    EndpointTwice = 42,
    /// Two endpoints that can't listen at the same time.
    AddressesClash = 43,
    /// A name that no endpoint of that kind has.
    UnknownEndpoint = 44,
    /// Routes that no endpoint serves.
    NoRouteEndpoint = 45,
    /// Signals that no endpoint serves.
    NoSignalEndpoint = 46,
    /// An endpoint that serves nothing.
    IdleEndpoint = 47,
    /// An invalid host.
    Host = 48,
    /// An invalid address or network of proxies.
    Network = 49,

    // Certificates.
    /// A secure endpoint without a certificate.
    NoCertificate = 50,
    /// A plain endpoint with a certificate.
    UnneededCertificate = 51,
    /// Two certificates for one port.
    CertificatesDiffer = 52,
    /// A certificate file that isn't there.
    CertificateFile = 53,
    /// A certificate file that holds something else.
    CertificateContent = 54,
    /// A certificate file that lies outside of the crate.
    CertificateOutside = 55,
    /// Advice: a literal password in the code.
    PasswordInTheCode = 56,
    /// Advice: a literal secret in the code.
    SecretInTheCode = 57,

    // Signals.
    /// Two signals of one name.
    SignalTwice = 60,
    /// Two signals at one path.
    SignalPathTwice = 61,
    /// A signal that receives messages without a receiver for them.
    NoReceiver = 62,
    /// A signal with a handler whose clients only listen.
    NeedlessReceiver = 63,
    /// A channel without capacity.
    NoCapacity = 64,
    /// An invalid origin.
    Origin = 65,
    /// A rebroadcast of a type that the signal doesn't send.
    RebroadcastType = 66,
    /// A rebroadcast that no option allows, or an option that allows none.
    RebroadcastOption = 67,
    /// A rebroadcast beyond the level of its signal.
    RebroadcastLevel = 68,
    /// An unknown level.
    UnknownLevel = 69,

    // Folders and files.
    /// A folder that isn't there.
    NoFolder = 70,
    /// A folder outside of the crate.
    FolderOutside = 71,
    /// Two folders of views.
    ViewsTwice = 72,
    /// Two folders under one prefix.
    PublicTwice = 73,
    /// A view that isn't there.
    NoView = 74,
    /// A view without a folder of views.
    NoViews = 75,
    /// A template that can't be read.
    Template = 76,
    /// A template that includes a missing one.
    TemplateIncludes = 77,
    /// A public file whose requests a route answers.
    HiddenFile = 78,

    // What pages request.
    /// A page that requests a path that this server doesn't have.
    PagePath = 80,
    /// A page that requests with a method that the path doesn't answer.
    PageMethod = 81,
    /// A page that listens to a path without a signal.
    PageSignal = 82,
    /// A page that requests an address where nothing listens.
    PageAddress = 83,
    /// A page with a script in an attribute, which browsers don't run.
    ScriptInAttribute = 84,
    /// A page that requests its own address by a protocol that isn't served there.
    PageProtocol = 85,

    // What views are given.
    /// A variable of a view that nothing gives.
    ViewVariable = 86,
    /// A `View` that can't be derived.
    ViewDerive = 87,
    /// A value that a view writes into a script.
    ValueInScript = 88,
    /// A value that a view writes where the escaping for HTML doesn't protect.
    ValueWithoutQuotes = 89,

    // Time.
    /// A cron expression that can't be read.
    Cron = 90,
    /// A cron expression that never fires.
    CronNever = 91,
    /// An interval that can't be read.
    Interval = 92,
    /// Two timers of one name.
    TimerTwice = 93,
    /// Two schedules of one name.
    ScheduleTwice = 94,

    // Upstreams.
    /// A URL that is not a WebSocket's.
    UpstreamUrl = 100,
    /// Two upstreams, or an upstream and a signal, of one name.
    UpstreamTwice = 101,

    // Clients of signals.
    /// An unknown event of clients.
    UnknownEvent = 110,
    /// A signal that isn't declared.
    UnknownSignal = 111,
    /// Two handlers of one event.
    OnTwice = 112,
    /// A catch-all in the path of a signal.
    CatchAll = 113,
    /// More parameters than the path of a signal may have.
    TooManyParameters = 114,
    /// Two signals for some of the same paths, neither more specific.
    SignalsCross = 115,
    /// Arguments in another order than in the path.
    ArgumentOrder = 116,
    /// An option of messages that aren't kept.
    NotKept = 117,
    /// A key for messages that can't have one.
    KeyInVain = 118,
    /// A grace for clients of whom nobody is told.
    GraceInVain = 119,

    // Limits.
    /// A limit that doesn't apply to its declaration.
    LimitElsewhere = 120,
    /// Limits that are completed from another value.
    LimitsFilledUp = 121,
    /// A limit that two endpoints name for the connections that they share.
    LimitTwice = 122,
    /// A limit of zero, which is no way to have none.
    LimitZero = 123,

    // Several certificates, and those of clients.
    /// A list of certificates without one.
    EmptyCertificateList = 125,
    /// A certificate in a list that no client ever gets.
    CertificateNeverShown = 126,
    /// A plain endpoint that asks clients for certificates.
    UnneededClientCertificate = 127,
    /// Two rules for the clients of one port.
    ClientCertificatesDiffer = 128,

    // Hand-over.
    /// A `drain` option without a hand-over.
    DrainAlone = 130,
    /// A path that can't be a socket's.
    SocketPath = 131,

    // Operations.
    /// Two declarations of where it is told how the server is.
    OperationsTwice = 135,

    // What a build leaves out.
    /// A word that needs a Cargo feature which is off.
    FeatureOff = 140,

    // More on views and pages.
    /// A filter, test or function that templates don't have.
    TemplateWord = 150,
    /// A page that sends a body of another type than the route takes.
    PageBody = 151,
    /// A method that browsers don't send as the page writes it.
    MethodInVain = 152,
    /// A value in an address that isn't of its parameter's type.
    ParameterValue = 153,
    /// A template of which it can't be known what it prints where.
    UnclearTemplate = 154,
    /// A view that asks for a position which there isn't.
    NoPosition = 155,

    // Backplanes.
    /// A kind of backplane that there isn't.
    UnknownBackplane = 160,
    /// A URL that is not a Redis'.
    RedisUrl = 161,
    /// Two backplanes.
    BackplaneTwice = 162,
    /// A backplane that carries nothing.
    IdleBackplane = 163,
    /// A name by which nodes can't find each other.
    BackplaneName = 164,
    /// A number of messages that a backplane can't keep, or that is too low.
    KeptMessages = 165,
}

impl Code {
    /// Tells whether a server is valid all the same: rustc then warns, and
    /// `#[allow(deprecated)]` at the declaration silences it.
    pub fn is_advice(self) -> bool {
        matches!(self, Code::ParameterNames | Code::PasswordInTheCode | Code::SecretInTheCode)
    }
}

/// As messages show it: `PODE017`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PODE{:03}", *self as u16)
    }
}
