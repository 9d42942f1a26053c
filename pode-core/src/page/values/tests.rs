//! What is told of templates, and what isn't.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};
use proptest::prelude::*;

use super::place::States;
use super::*;
use crate::page::requests_of_script;

/// Returns what is told of a view `page.html`, and of other files, each of which
/// stands behind a line `--- name`.
fn told(files: &str) -> String {
    let mut parts = files.split("\n--- ");
    let page = parts.next().map(|text| ("page.html", text));
    let files: Vec<_> =
        page.into_iter().chain(parts.filter_map(|it| it.split_once('\n'))).collect();
    let read = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| *text);
    let mut values = Values::new(read, true);
    let views = files.iter().filter(|(name, _)| name.ends_with(".html"));
    let found: Vec<_> = views.flat_map(|(name, _)| values.unsafe_in(name)).collect();
    let shown = found.iter().map(|it| format!("{:?}: {} {}", it.spot, it.word, it.code));
    shown.collect::<Vec<_>>().join("; ").replace(":  ", ": ")
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (files, expected) in cases {
        assert_eq!(told(files), *expected, "{files}");
    }
}

#[test]
fn whatever_an_expression_does_is_not_safe_in_a_script() {
    for code in [
        "name",
        "user.address.city.name.first",
        "names[0]",
        "name[1:]",
        "name[:8]",
        "\"*\" ~ name",
        "name|tojson ~ name",
        "name|replace('*', '')",
        "name|tojson|replace('\"', '')",
        "name|tojson|upper",
        "name|default('*')",
        "name|e",
        "name|int(name)",
        "name if kind == 'guest' else 0",
        "'' if name else other",
        "name or ''",
        "(path|split('/'))[1]",
        "users|map(attribute='name')|join(',')",
        "(users|first).name",
        "user.name.upper()",
        "{'x': name}[kind]",
        "\"%s!\"|format(name)",
        "user|pprint",
        "loop.previtem",
        "loop.index",
        "price * count",
        "n|round",
    ] {
        let print = format!("{{{{ {code} }}}}");
        for (script, spot) in [
            ("<script>a = @;</script>", "Script"),
            ("<SCRIPT type=module>\na = '@'</script >", "Quotes"),
            ("<script type=' Text/JavaScript '>`${a}@`", "Quotes"),
            ("<script type='text/ecmascript'>a = @", "Script"),
            ("<script type='application/x-javascript'>a = @", "Script"),
            ("<script type='{{ kind }}'>a = @", "Script"),
            ("<script type='{% if m %}module{% endif %}'>a = @", "Script"),
            ("<script type=text/x-template type=module>{{ name }}</script><script>@", "Script"),
            ("<script type=application/json>{\"a\": \"@\"}</script>", "Quotes"),
            ("<script>// @\n</script>", "NoCode"),
            ("<script>a /* ' @ */</script>", "NoCode"),
            ("<script>a = /[/'\\/]@/</script>", "NoCode"),
            ("<script><!-- ` @\n</script>", "NoCode"),
            ("<script><!-- <script>\n</script>\na = @ --></script>", "Script"),
            ("<svg><script>a = '@'</script></svg>", "NoCode"),
            ("<svg><![CDATA[ </svg> ]]><title><script>a = @", "NoCode"),
            ("<svg><p><![CDATA[><script>a = @</script>]]>", "NoCode"),
            ("<p onclick=\"go('@')\"></p>", "Quotes"),
            ("<my-list onchange='go(@)'></my-list>", "Script"),
            ("<p onclick=\"go(@)\">", "Script"),
            ("<p {% if x %}onclick{% else %}title{% endif %}='go(@)'>", "Script"),
            ("<a href=' Java&#10;Script:/&#97;/,go(@)'>", "NoCode"),
            ("<a href='&#106;avascript:go(@)'>", "NoCode"),
            ("<script src='data:text/javascript,@'></script>", "Address(\"src\")"),
            ("<iframe srcdoc=\"<script>a = `@`</script>\">", "Document"),
            ("<script src=\"@\"></script>", "Address(\"src\")"),
            ("<script src='https://cdn@/a.js'></script>", "Address(\"src\")"),
            ("<base href='/@'>", "Address(\"href\")"),
            ("{% if x %}<script>{% endif %}a = @{% if x %}</script>{% endif %}", "Script"),
            ("<script>{% for x in xs %}{% else %}a = @{% endfor %}</script>", "Script"),
            ("<script>{% filter trim %}a = @{% endfilter %}", "Script"),
            ("<script>{% autoescape false %}a = @{% endautoescape %}", "Script"),
            ("<style>p { color: @ }</style>", "Style"),
            ("<p style='color: @'>", "StyleAttribute"),
        ] {
            let text = script.replace('@', &print);
            assert_eq!(told(&text), format!("{spot}: {code}"), "{text}");
        }
    }
}

#[test]
fn values_are_followed_to_where_they_are_shown() {
    check(&[
        (
            "{% extends 'base' %}{% block body %}<p>{{ a }}</p>{% endblock %}{% block js %}a = `{{ b }}`{% endblock %}\n\
             --- base\n<body>{% block body %}{% endblock %}<script>{% block js %}{% endblock %}</script>",
            "Quotes: b",
        ),
        (
            "{% extends 'base' %}{% block css %}{{ a }}{% endblock %}{% block class %}{{ b }}{% endblock %}\n\
             --- base\n<style>{% block css %}{% endblock %}</style><body class={% block class %}{% endblock %}>",
            "Style: a; Unquoted(\"class\"): b",
        ),
        (
            "{% extends 'base' %}{% block a %}<script>{{ super() }}</script>{% endblock %}\n\
             --- base\n{% block a %}{{ name }}{% endblock %}",
            "Script: name",
        ),
        (
            "{% extends ['none', 'one', 'two'] %}{% block a %}{{ name }}{% endblock %}\n\
             --- one\n<p>{% block a %}{% endblock %}\n--- two\n<p title={% block a %}{% endblock %}>",
            "Unquoted(\"title\"): name",
        ),
        ("<p {{ a }}{% extends 'base' %}{{ b }}>\n--- base\n{{ c }}>", "Name: c; Name: a"),
        ("<script>{% include 'a.js' %}</script>\n--- a.js\nb = `{{ name }}`", "Quotes: name"),
        ("<script>b = {% include 'a' %};</script>\n--- a\n{{ name }}", "Script: name"),
        (
            "<p>{% include 'a.htm' %}</p>\n--- a.htm\n<b title={{ a }}>{{ b }}<script>`{{ c }}`</script>",
            "Unquoted(\"title\"): a; Quotes: c",
        ),
        ("{% block a %}{{ name }}{% endblock %}<script>`{{ self.a() }}`</script>", "Quotes: name"),
        ("{% macro m(a) %}{{ a }}{% endmacro %}<p title={{ m(name) }}>", "Unquoted(\"title\"): a"),
        ("{% macro m(a) %}<script>`{{ a }}`</script>{% endmacro %}", "Quotes: a"),
        (
            "{% from 'a' import b, c as d %}<script>{{ b(x) }} {{ d(x) }}</script>\n\
             --- a\n{% macro b(x) %}{{ x }}{% endmacro %}{% macro c(y) %}{{ y }}{% endmacro %}",
            "Script: x; Script: y",
        ),
        (
            "{% import 'a' as b %}<p title={{ b.c(x) }}>\n--- a\n{% macro c(x) %}{{ x }}{% endmacro %}",
            "Unquoted(\"title\"): x",
        ),
        (
            "{% macro m() %}<script>{{ caller() }}</script>{% endmacro %}{% call m() %}`{{ a }}`{% endcall %}",
            "Quotes: a",
        ),
        (
            "{% macro m(x) %}<i>{{ x }}</i>{% endmacro %}{% set m = name %}<script>{{ m(1) }}</script>",
            "Script: m(1)",
        ),
        // Others give the same names to what is harmless.
        (
            "<script>{{ name }}</script>\n--- other.html\n{% from 'm' import name %}{% set name = 1 %}\
             {% for name in [1] %}{{ name }}{% endfor %}{% macro name(name) %}{% endmacro %}",
            "Script: name",
        ),
        (
            "{% set a = 1 %}{% if x %}{% set a = y %}{% endif %}<script>{{ a }}</script>",
            "Script: a",
        ),
        ("{% set a %}{{ name }}{% endset %}<script>`{{ a }}`</script>", "Quotes: a"),
        ("{% set a %}<script>`{{ name }}`</script>{% endset %}", "Quotes: name"),
        (
            "{% if x %}{% macro m(a) %}{% endmacro %}{% else %}{% macro m(a) %}{{ a }}{% endmacro %}{% endif %}\
             <p title={{ m(name) }}>",
            "Unquoted(\"title\"): a",
        ),
        (
            "{% from 'a' import b %}{% set c = b %}{{ c(1) }}\n--- a\n{% macro b(x) %}<p {{ x }}>{% endmacro %}",
            "Name: x",
        ),
        ("{% from 'a' import import %}{{ import(1) }}{{ from(1) }}{{ as(1) }}\n--- a\n ", ""),
        ("<script>{% for x in range(3) %}{{ x }}{% endfor %}</script>", "Script: x"),
    ]);
}

#[test]
fn json_is_safe_as_code_and_has_quotes_of_its_own() {
    check(&[
        ("<script>a = '{{ n|tojson }}'</script>", "Quotes: n|tojson"),
        ("<script>a = `${'{{ n|tojson }}'}`</script>", "Quotes: n|tojson"),
        ("<script>a = `\\${{ n|tojson }}`</script>", "Quotes: n|tojson"),
        ("<script>{ a } /{{ n|tojson }}/</script>", "NoCode: n|tojson"),
        ("<script>if ((a)) /{{ n|tojson }}/</script>", "NoCode: n|tojson"),
        ("<script>// {{- n|tojson }}\n</script>", "NoCode: n|tojson"),
        ("<script>// a\n{{- n|tojson }}\n</script>", "NoCode: n|tojson"),
        ("<script>return /{{ n|tojson }}/</script>", "NoCode: n|tojson"),
        ("<p onclick='go(&quot;{{ n|tojson }}&quot;)'>", "NoCode: n|tojson"),
        ("<p onclick=\"go({{ n|tojson }})\">", "DoubleQuotes(\"onclick\"): n|tojson"),
        ("<a href='javascript:go({{ n|tojson }})'>", "NoCode: n|tojson"),
        ("<p data-a=\"{{ n|tojson }}\">", "DoubleQuotes(\"data-a\"): n|tojson"),
        ("<p data-a=\"{{ n|tojson|e }}\">", "DoubleQuotes(\"data-a\"): n|tojson|e"),
        ("<p data-a={{ n|tojson }}>", "Unquoted(\"data-a\"): n|tojson"),
        ("<script>{% filter upper %}{{ n|tojson }}{% endfilter %}</script>", "Script: n|tojson"),
        ("<p data-a=\"{% filter tojson %}{{ n }}{% endfilter %}\">", "Kept: filter tojson"),
        ("{% set a = n|tojson %}<p data-a=\"{{ a }}\">", "Kept: set a = n|tojson"),
        ("{% set a %}{{ n|tojson }}{% endset %}<p data-a=\"{{ a }}\">", "Kept: n|tojson"),
        (
            "{% macro m(a) %}<p data-a=\"{{ a }}\">{% endmacro %}{{ m(n|tojson) }}",
            "Kept: m(n|tojson)",
        ),
    ]);
}

#[test]
fn a_value_without_quotes_is_not_safe_in_a_tag() {
    check(&[
        ("<a title={{ x }} HREF=/a/{{ y }}>", "Unquoted(\"title\"): x; Unquoted(\"href\"): y"),
        ("<p {% if x %}id{% endif %} = {{ x }}>", "Unquoted(\"id\"): x"),
        ("<p {% if a %}class=\"x\"{% else %}class={{ y }}{% endif %}>", "Unquoted(\"class\"): y"),
        ("<p title={% if a %}\"{{ x }}\"{% else %}{{ y }}{% endif %}>", "Unquoted(\"title\"): y"),
        ("<p title={% if a %}\"{% endif %}{{ x }}\">", "Unquoted(\"title\"): x"),
        ("<img alt={{ x }}'s>", "Unquoted(\"alt\"): x"),
        ("<input {{ x }}>", "Name: x"),
        ("<p data-{{ x }}='a'>", "Name: x"),
        ("<p {{ 'a' if x }}='{{ y }}'>", "Name: y"),
        ("<h{{ x }}></h{{ y }}>", "Name: x; Name: y"),
        ("<{{ x }}>", "Name: x"),
        ("<noscript><p title={{ x }}></noscript>", "Unquoted(\"title\"): x"),
        ("<textarea></text{{ x }}>", "Name: x"),
        ("<!-{{ x }}", "Name: x"),
    ]);
}

#[test]
fn templates_that_import_themselves_are_followed_once() {
    check(&[
        (
            "{% import 'm' as m %}{{ m.a() }}\n\
             --- m\n{% import 'm' as m %}{% macro a() %}<p {{ x }}>{% endmacro %}",
            "Name: x",
        ),
        (
            "{% from 'm' import a %}{{ a() }}\n\
             --- m\n{% import 'n' as n %}{% macro a() %}<b>{{ n.c() }}{% endmacro %}\n\
             --- n\n{% from 'm' import a %}{% macro c() %}<script>{{ x }}</script>{% endmacro %}",
            "Script: x",
        ),
    ]);
}

#[test]
fn a_template_that_includes_itself_before_it_extends_another_is_followed_once() {
    check(&[
        ("{% include 'page.html' %}{% extends 'l' %}\n--- l\n<p {{ x }}>", "Name: x"),
        (
            "<p>{% include 'a' %}\n--- a\n{% include 'a' %}{% extends 'l' %}\n--- l\n<p {{ x }}>",
            "Name: x",
        ),
    ]);
}

#[test]
fn a_position_is_safe_unless_the_name_is_something_else() {
    check(&[
        ("<script>a = {{ position('/a') }}</script>", "Script: position('/a')"),
        ("<script>a = '{{ position('/a') ~ x }}'</script>", "Quotes: position('/a') ~ x"),
        ("<script>a = '{{ position('/a').x }}'</script>", "Quotes: position('/a').x"),
        ("<p {{ position('/a') }}>", "Name: position('/a')"),
        (
            "{% for position in [m] %}<script>a = '{{ position(x) }}'</script>{% endfor %}",
            "Quotes: position(x)",
        ),
        (
            "{% extends 'a' %}{% block b %}<script>a = '{{ position(x) }}'</script>{% endblock %}\n\
             --- a\n{% include 'c' %}{% block b %}{% endblock %}\n--- c\n{% set position = m %}",
            "Quotes: position(x)",
        ),
        (
            "{% macro position(x) %}{{ x }}{% endmacro %}<script>a = '{{ position(x) }}'</script>",
            "Quotes: x",
        ),
        ("<script>a = '{{ position(x) }}'</script>\n--- b.html\n{% set position = 1 %}", ""),
    ]);
}

#[test]
fn what_cannot_be_followed_is_told() {
    check(&[
        ("<p>{% include name ~ '.html' %}</p>", "Computed: include name ~ '.html'"),
        ("{% extends name %}", "Computed: extends name"),
        ("{% if x %}{% extends 'a' %}{% endif %}\n--- a\n ", "Computed: extends 'a'"),
        ("{% import name as a %}", "Computed: import name as a"),
        ("{% set m = name %}{% call m() %}{% endcall %}", "Unclear: call m()"),
        ("{% block a %}{{ self.a() }}{% endblock %}", "Itself: self.a()"),
        ("{% block a %}{{ self.a()|upper }}{% endblock %}", "Itself: self.a()|upper"),
        ("{% block a %}{% set b = self . a() %}{% endblock %}", "Itself: set b = self . a()"),
        (
            "{% block a %}{{ self.b() }}{% endblock %}{% block b %}{{ self.a() }}{% endblock %}",
            "Itself: self.a(); Itself: self.b()",
        ),
        (
            "<script>{% for x in xs recursive %}{{ loop(x) }}{% endfor %}</script>",
            "Unclear: loop(x)",
        ),
        ("<script>`{% for x in xs %}${ {% endfor %}", "Unclear: for x in xs"),
        (
            "{% macro m(a) %}<p title=\"{% if a %}{{ m(a) }}{% endif %}{% endmacro %}{{ m(1) }}",
            "Unclear: macro m(a)",
        ),
    ]);
}

#[test]
fn what_is_safe_is_left() {
    for text in [
        "<script>a = {{ name|tojson }}; b = {{- user.names | tojson(indent=2) -}}; {% if a %}c = {{ d|tojson }}{% endif %}</script>",
        "<script>a = {{ 7 }} + '{{ 'x' }}' + {{ names|length }} + '{{ n|int }}' + {{ 'on' if name else 'off' }}; // {{ n|int }}</script>",
        "<script>{% for x in xs %}a[{{ loop.index0 }}] = {{ x|tojson }};{% endfor %} b = a / c / {{ d|tojson }}</script>",
        "<script>`${ {{ n|tojson }} }${ { a: '}' }.a }` + {{ n|tojson }}; c = '{{ name|urlencode }}'</script>",
        "<script>new WebSocket('/a?resume={{ position('/a') }}'); new WebSocket(`/b?resume={{ position(\"/b\") }}`)</script>",
        "<script>a = {{ position('/a')|tojson }}</script><p data-a={{ position('/a') }} data-b=\"{{ position('/a') if x else 0 }}\">",
        "<script>a = {{ name|safe }};</script><style>p { order: {{ 7 }}; color: {{ color|safe }} }</style>",
        "<script>a = '{% if x %}b'{% else %}c'{% endif %} + {{ name|tojson }} + '';\n(a) / 2; b = {{ name|tojson }}</script>",
        "<script type=application/json>{ \"a\": {{ a|tojson }} }</script><script type=' Text/Template '><p>{{ name }}</p></script>",
        "<script src='/a.js?{{ name }}'></script><script src='https://a.example/{{ version }}/a.js'></script>",
        "<p style='width: {{ percent|float }}%' title='{{ name }}' data-a='{{ name|tojson }}' data-b=\"{{ name|tojson|length }}\" id={{ 7 }}>",
        "<a href=\"{{ url }}\" onclick='go({{ name|tojson }})' class={{ 'a' if x }} rel={{ x|urlencode }} {{ 'hidden' if y else '' }}>",
        "<p title={% if x %}\"{{ x }}\"{% else %}'{{ y }}'{% endif %} {% if x %}hidden{% endif %} class='{% for c in cs %}{{ c }} {% endfor %}'>",
        "<input {% if checked %}checked{% endif %} value=\"{{ name }}\"><textarea>{{ a }}</textarea><!-- {{ a }} --><template>{{ name }}</template>",
        "<title>{{ a }}</title><svg><title>{{ a }}</title><path d=\"{{ b }}\"/></svg><style></style><p>{{ a }} 1 < {{ b }}</p>",
        "{% raw %}<script>a = {{ name }}</script>{% endraw %}<script>{# {{ name }} #}</script><!-- <script> -->{{ name }}",
        "{% macro m(a) %}<p title=\"{{ a }}\">{% for b in a %}{{ m(b) }}{% endfor %}</p>{% endmacro %}{{ m(x) }}",
        "{% macro m(a) %}<script>{{ a|tojson }}</script>{{ caller() }}{% endmacro %}{% call(x) m(1) %}<p>{{ x }}</p>{% endcall %}",
        "{% for x in xs recursive %}<li>{{ x.a }}{% if x.b %}<ul>{{ loop(x.b) }}</ul>{% endif %}</li>{% endfor %}",
        "{% set a %}<b>{{ name }}</b>{% endset %}<p title=\"{{ a }}\">{{ a }}</p>{% filter upper %}{{ name }}{% endfilter %}",
        "<p>{{ name }}{% include 'page.html' %}{% include 'none' ignore missing %}</p>",
        "{% extends 'a' %}{% block a %}<p>{{ name }}</p>{% endblock %}\n--- a\n{% block a %}{% endblock %}<script>{% block b %}{% endblock %}</script>",
        "<p>{{ name|tojson }}{{ names|join('<br>'|safe) }}{{ ('%s'|safe)|format(name) }}{{ name|e|reverse }}</p>",
        "<meta http-equiv=refresh content='0; url={{ url }}'><my-list data-on='{{ name }}' href='/a{% for x in xs %}b{% endfor %}'></my-list>",
    ] {
        assert_eq!(told(text), "", "{text}");
    }
}

/// Returns where a browser's tokenizer finds the mark; `None` if it is in no token.
fn place_of_mark(page: &str) -> Option<&'static str> {
    const MARK: &str = "\u{fffc}";
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    let has_mark = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(MARK);
    let mut text = "text";
    for Ok(token) in Tokenizer::new_with_emitter(page, emitter) {
        match token {
            Token::StartTag(tag) => {
                if has_mark(&tag.name) || tag.attributes.keys().any(|name| has_mark(name)) {
                    return Some("name");
                }
                if let Some((name, value)) = tag.attributes.iter().find(|(_, it)| has_mark(it)) {
                    let behind = page[value.span.start + name.len()..].trim_start();
                    let value = behind.strip_prefix('=').unwrap_or(behind).trim_start();
                    return Some(if value.starts_with(['"', '\'']) {
                        "quotes"
                    } else {
                        "unquoted"
                    });
                }
                text = match &tag.name[..] {
                    b"script" => "script",
                    b"style" => "style",
                    _ => "text",
                };
            }
            Token::EndTag(tag) => {
                if has_mark(&tag.name) {
                    return Some("name");
                }
                text = "text";
            }
            Token::String(value) if has_mark(&value) => return Some(text),
            Token::Comment(value) if has_mark(&value) => return Some("comment"),
            _ => {}
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_place_in_a_page_is_that_which_a_browser_sees(
        before in prop::collection::vec(prop::sample::select(PIECES), 0..14),
        behind in prop::collection::vec(prop::sample::select(PIECES), 0..4),
    ) {
        let (before, behind) = (before.concat(), behind.concat());
        let page = format!("{before}\u{fffc}{behind}\"'></script></style></title>-->");
        let (_, spots) = States::begin().read(&before, false).print();
        let seen = place_of_mark(&page);
        let fits = spots.iter().any(|spot| match (spot, seen) {
            // A value may begin a name, and end what follows.
            (_, None) | (Spot::Name | Spot::StyleAttribute, _) => true,
            (Spot::Text, Some(seen)) => matches!(seen, "text" | "quotes" | "comment"),
            (Spot::DoubleQuotes(_), Some(seen)) => seen == "quotes",
            (Spot::Unquoted(_), Some(seen)) => seen == "unquoted",
            (Spot::Style, Some(seen)) => seen == "style",
            (Spot::Script | Spot::Quotes | Spot::NoCode, Some(seen)) => seen == "script",
            _ => false,
        });
        prop_assert!(fits, "{page:?}: {spots:?}, {seen:?}");
    }
}

const PIECES: &[&str] = &[
    "<p", "<script", "<style", "<title", "</p", "</script", "</style", "</title", ">", "/>", "/",
    " ", "\n", "a", "b=", "=", "\"", "'", "<", "!", "<!--", "--", "-->", "-", "?", "<!", "&lt;",
    "<Script>",
];

/// Templates that print `v`, in and between all kinds of places.
fn any_template() -> impl Strategy<Value = String> {
    let print = prop::sample::select(vec![
        "{{ v }}",
        "{{ v|tojson }}",
        "{{ v|urlencode }}",
        "{{ v|upper }}",
        "{{ v|length }}",
        "{{ 'a' if c else v|tojson }}",
        "{{ v if c }}",
        "{{ loop.index }}",
        "{{ s }}",
        "{{ m(v) }}",
        "{{ self.b() }}",
        "{{ super() }}",
        "{{ caller() }}",
        "{% include 'part' %}",
        "{% set s = v|tojson %}",
        "{% set s = m(v) %}",
        "{% set m = v %}",
    ]);
    let text = prop::sample::select(vec![
        "<p>",
        "<p ",
        "<p title=\"",
        "<p title=",
        "\"",
        "'",
        ">",
        "=",
        " ",
        "<script>",
        "</script>",
        "<style>",
        "</style>",
        "a = ",
        "`",
        "${",
        "}",
        "{",
        "/",
        "//",
        "/*",
        "*/",
        "\n",
        ";",
        "(",
        ")",
        "return ",
        "<!--",
        "-->",
        "<title>",
        "</title>",
        "<svg>",
        "</svg>",
    ]);
    let leaf = prop_oneof![print.prop_map(str::to_owned), text.prop_map(str::to_owned)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let several = prop::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
        (several.clone(), several, 0..16).prop_map(|(one, other, kind)| match kind {
            0 => format!("{{% if c %}}{one}{{% else %}}{other}{{% endif %}}"),
            1 => format!("{{% if c %}}{one}{{% endif %}}{other}"),
            2 => format!("{{% for v in xs %}}{one}{{% endfor %}}{other}"),
            3 => format!("{{% set s %}}{one}{{% endset %}}{other}"),
            4 => format!("{{% macro m(v) %}}{one}{{% endmacro %}}{other}"),
            5 => format!("{{% block b %}}{one}{{% endblock %}}{other}"),
            6 => format!("{{% filter trim %}}{one}{{% endfilter %}}{other}"),
            7 => format!("{{% call m(v) %}}{one}{{% endcall %}}{other}"),
            8 => format!("{{% with s = v %}}{one}{{% endwith %}}{other}"),
            9 => format!("{{% macro m(v) %}}{{{{ caller() }}}}{one}{{% endmacro %}}{other}"),
            10 => format!("<p title=\"{one}\">{other}"),
            11 => format!("<p title='{one}'>{other}"),
            12 => format!("<style>{one}</style>{other}"),
            13 | 14 => format!("<script>{one}</script>{other}"),
            _ => format!("{one}{other}"),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever a client sends, it makes no tag, attribute, style or call.
    #[test]
    fn no_value_leaves_its_place_in_a_view_that_is_accepted(
        page in any_template(),
        part in any_template(),
        base in any_template(),
        extends: bool,
    ) {
        let page = if extends { format!("{{% extends 'base' %}}{page}") } else { page };
        let files = [("page.html", page), ("part", part.replace("'part'", "'none' ignore missing")), ("base", base)];
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
        environment.set_recursion_limit(100);
        for (name, text) in &files {
            if environment.add_template(name, text).is_err() {
                return Ok(());
            }
        }
        let read = |path: &str| {
            files.iter().find(|(name, _)| *name == path).map(|(_, text)| text.as_str())
        };
        if !Values::new(read, true).unsafe_in("page.html").is_empty() {
            return Ok(());
        }
        for v in PAYLOADS {
            for c in [true, false] {
                let given = minijinja::context! { v, c, s => v, xs => [v, v] };
                let made = environment.get_template("page.html").unwrap().render(given);
                // It may lack a macro.
                let made = made.unwrap_or_default();
                prop_assert!(is_harmless(&made), "{files:?}\n{made}");
            }
        }
    }
}

const PAYLOADS: [&str; 12] = [
    "x zz=1 ",
    "x' zz='1",
    "x\" zz=\"1",
    "><zz>",
    "</script></style><zz>",
    "</script><script>fetch(`/zz`)</script>",
    "fetch(`/zz`)",
    ";fetch(`/zz`)//",
    "';fetch(`/zz`)//",
    "`;fetch(`/zz`)//",
    "${fetch(`/zz`)}",
    "*/;fetch(`/zz`)\nfetch(`/zz`)",
];

fn is_harmless(page: &str) -> bool {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    let mut element = Vec::new();
    Tokenizer::new_with_emitter(page, emitter).all(|Ok(token)| match token {
        Token::StartTag(tag) => {
            element = tag.name.to_vec();
            element != b"zz" && tag.attributes.keys().all(|name| !name.starts_with(b"zz"))
        }
        Token::EndTag(_) => {
            element.clear();
            true
        }
        Token::String(text) => match &element[..] {
            b"style" => !text.to_ascii_lowercase().windows(2).any(|it| it == b"zz"),
            b"script" => {
                let code = String::from_utf8_lossy(&text);
                requests_of_script(&code).iter().all(|it| !it.address.contains("zz"))
            }
            _ => true,
        },
        _ => true,
    })
}
