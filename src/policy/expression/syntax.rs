//! From words to a tree, by CEL's grammar and precedence. The tree is bounded in depth, so that
//! whatever walks it later may call itself. What the parts mean is said in `check`.

use super::problems::{Span, quoted};
use super::tokens::{Lexeme, Token};
use super::{MAX_DEPTH, MAX_ELEMENTS, Problem};

/// A part of an expression and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) shape: Shape,
    pub(super) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Boolean(bool),
    Number(f64),
    Text(String),
    /// A name, with its dots.
    Name(String),
    Not(Box<Node>),
    Negate(Box<Node>),
    /// Two or more parts with `&&` between them.
    All(Vec<Node>),
    /// Two or more parts with `||` between them.
    Any(Vec<Node>),
    Compare(Comparison, Span, Box<[Node; 2]>),
    /// A value, and the list that it is looked for in.
    In(Span, Box<[Node; 2]>),
    /// The first part, and each other one behind its operator, from left to right.
    Calculate(Box<Node>, Vec<(Arithmetic, Span, Node)>),
    /// Condition, and what counts where it holds and where it doesn't.
    Choice(Box<[Node; 3]>),
    List(Vec<Node>),
    Call(Box<Call>),
}

/// `receiver.name(arguments)`, or without the receiver.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) at: Span,
    pub(super) receiver: Option<Node>,
    pub(super) arguments: Vec<Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Plus,
    Minus,
    Times,
    DividedBy,
}

impl Comparison {
    fn of(sign: &str) -> Option<Self> {
        Some(match sign {
            "==" => Self::Equal,
            "!=" => Self::Unequal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }
}

/// What CEL keeps for itself, besides `in`, `true`, `false` and `null`.
pub(super) const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

const OPERAND: &str = "a name, a number, a text, `true`, `false` or an opening bracket";
const OPERATOR: &str = "an operator such as `<`, `==`, `&&`, `||` or `in`, or the end";

/// The whole expression, or the first place where the grammar is left.
pub(super) fn tree(source: &str, tokens: &[Token<'_>]) -> Result<Node, Problem> {
    let mut parser = Parser {
        source,
        tokens,
        at: 0,
        depth: 0,
    };
    let node = parser.expression()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.unexpected(OPERATOR)),
    }
}

struct Parser<'t, 's> {
    source: &'s str,
    tokens: &'t [Token<'s>],
    at: usize,
    depth: usize,
}

type Parsed<T> = Result<T, Problem>;

impl<'t, 's> Parser<'t, 's> {
    fn peek(&self) -> Option<&'t Token<'s>> {
        self.tokens.get(self.at)
    }

    fn sign(&self) -> Option<(&'static str, Span)> {
        match self.peek()? {
            Token {
                lexeme: Lexeme::Sign(sign),
                span,
            } => Some((sign, *span)),
            _ => None,
        }
    }

    fn eat(&mut self, wanted: &str) -> Option<Span> {
        let (_, span) = self.sign().filter(|(sign, _)| *sign == wanted)?;
        self.at += 1;
        Some(span)
    }

    fn expect(&mut self, wanted: &str) -> Parsed<Span> {
        self.eat(wanted)
            .ok_or_else(|| self.unexpected(&format!("`{wanted}`")))
    }

    /// Runs `inner` one level deeper, where there is one left.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let parsed = inner(self);
        self.depth -= 1;
        parsed
    }

    fn expression(&mut self) -> Parsed<Node> {
        self.nested(Self::choice)
    }

    fn choice(&mut self) -> Parsed<Node> {
        let condition = self.any()?;
        if self.eat("?").is_none() {
            return Ok(condition);
        }
        let then = self.any()?;
        self.expect(":")?;
        let otherwise = self.expression()?;
        let span = condition.span.to(otherwise.span);
        let shape = Shape::Choice(Box::new([condition, then, otherwise]));
        Ok(Node { shape, span })
    }

    fn any(&mut self) -> Parsed<Node> {
        self.joined("||", Self::all, Shape::Any)
    }

    fn all(&mut self) -> Parsed<Node> {
        self.joined("&&", Self::relation, Shape::All)
    }

    fn joined(
        &mut self,
        sign: &str,
        part: fn(&mut Self) -> Parsed<Node>,
        shape: fn(Vec<Node>) -> Shape,
    ) -> Parsed<Node> {
        let first = part(self)?;
        let mut span = first.span;
        let mut parts = Vec::new();
        while self.eat(sign).is_some() {
            let next = part(self)?;
            span = span.to(next.span);
            parts.push(next);
        }
        if parts.is_empty() {
            return Ok(first);
        }
        parts.insert(0, first);
        let shape = shape(parts);
        Ok(Node { shape, span })
    }

    fn relation(&mut self) -> Parsed<Node> {
        let left = self.sum()?;
        let Some((relation, at)) = self.relation_sign() else {
            return Ok(left);
        };
        let right = self.sum()?;
        if let Some((_, at)) = self.relation_sign() {
            return Err(self.chained(left.span.to(right.span), at));
        }
        let span = left.span.to(right.span);
        let sides = Box::new([left, right]);
        let shape = match relation {
            Some(comparison) => Shape::Compare(comparison, at, sides),
            None => Shape::In(at, sides),
        };
        Ok(Node { shape, span })
    }

    /// The comparison that stands next, or `None` in it for `in`.
    fn relation_sign(&mut self) -> Option<(Option<Comparison>, Span)> {
        let token = self.peek()?;
        let relation = match token.lexeme {
            Lexeme::Sign(sign) => Some(Comparison::of(sign)?),
            Lexeme::Word("in") => None,
            _ => return None,
        };
        self.at += 1;
        Some((relation, token.span))
    }

    fn sum(&mut self) -> Parsed<Node> {
        let signs = |sign: &str| match sign {
            "+" => Some(Arithmetic::Plus),
            "-" => Some(Arithmetic::Minus),
            _ => None,
        };
        self.calculation(signs, Self::product)
    }

    fn product(&mut self) -> Parsed<Node> {
        let signs = |sign: &str| match sign {
            "*" => Some(Arithmetic::Times),
            "/" => Some(Arithmetic::DividedBy),
            _ => None,
        };
        let product = self.calculation(signs, Self::unary)?;
        match self.sign() {
            Some(("%", at)) => Err(percent(at)),
            _ => Ok(product),
        }
    }

    fn calculation(
        &mut self,
        signs: fn(&str) -> Option<Arithmetic>,
        part: fn(&mut Self) -> Parsed<Node>,
    ) -> Parsed<Node> {
        let first = part(self)?;
        let mut span = first.span;
        let mut rest = Vec::new();
        while let Some((sign, at)) = self.sign() {
            let Some(operator) = signs(sign) else { break };
            self.at += 1;
            let next = part(self)?;
            span = span.to(next.span);
            rest.push((operator, at, next));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let shape = Shape::Calculate(Box::new(first), rest);
        Ok(Node { shape, span })
    }

    fn unary(&mut self) -> Parsed<Node> {
        if let Some(at) = self.eat("!") {
            let inner = self.nested(Self::unary)?;
            let span = at.to(inner.span);
            let shape = Shape::Not(Box::new(inner));
            return Ok(Node { shape, span });
        }
        if let Some(at) = self.eat("-") {
            let inner = self.nested(Self::unary)?;
            let span = at.to(inner.span);
            let shape = match inner.shape {
                Shape::Number(number) => Shape::Number(-number),
                _ => Shape::Negate(Box::new(inner)),
            };
            return Ok(Node { shape, span });
        }
        self.member()
    }

    /// Something, and what is asked of it behind dots.
    fn member(&mut self) -> Parsed<Node> {
        let mut node = self.primary()?;
        let outside = self.depth;
        while let Some(dot) = self.eat(".") {
            // Each call holds the one before it, so it is one level deeper.
            if self.depth >= MAX_DEPTH {
                return Err(self.too_deep());
            }
            self.depth += 1;
            node = self.behind_dot(node, dot)?;
        }
        self.depth = outside;
        match self.sign() {
            Some(("[" | "{", _)) => Err(self.unexpected(OPERATOR)),
            _ => Ok(node),
        }
    }

    fn behind_dot(&mut self, before: Node, dot: Span) -> Parsed<Node> {
        let Some(Token {
            lexeme: Lexeme::Word(word),
            span: at,
        }) = self.peek()
        else {
            return Err(self.unexpected("a function such as `startsWith`"));
        };
        self.at += 1;
        if self.eat("(").is_some() {
            let (arguments, end) = self.list(")", usize::MAX)?;
            return Ok(call(word, *at, Some(before), arguments, end));
        }
        let span = before.span.to(*at);
        match before.shape {
            Shape::Name(name) => {
                let shape = Shape::Name(format!("{name}.{word}"));
                Ok(Node { shape, span })
            }
            _ => Err(Problem::new(
                dot.start,
                format!("{} has no parts", before.span.quoted(self.source)),
            )
            .found(format!("`.{word}`"))
            .expected("a function, with its brackets")
            .help(format!(
                "write `.{word}(…)` if it is a function, or remove it"
            ))),
        }
    }

    fn primary(&mut self) -> Parsed<Node> {
        let Some(token) = self.peek() else {
            return Err(self.unexpected(OPERAND));
        };
        let span = token.span;
        let shape = match &token.lexeme {
            Lexeme::Number(number) => Shape::Number(*number),
            Lexeme::Text(text) => Shape::Text(text.clone()),
            Lexeme::Word(word) => return self.word(word, span),
            Lexeme::Sign("(") => return self.bracketed(),
            Lexeme::Sign("[") => {
                self.at += 1;
                let (elements, end) = self.list("]", MAX_ELEMENTS)?;
                let shape = Shape::List(elements);
                let span = span.to(end);
                return Ok(Node { shape, span });
            }
            Lexeme::Sign(_) => return Err(self.unexpected(OPERAND)),
        };
        self.at += 1;
        Ok(Node { shape, span })
    }

    fn bracketed(&mut self) -> Parsed<Node> {
        let start = self.expect("(")?;
        let inner = self.expression()?;
        let end = self.expect(")")?;
        let shape = inner.shape;
        let span = start.to(end);
        Ok(Node { shape, span })
    }

    fn word(&mut self, word: &str, span: Span) -> Parsed<Node> {
        let shape = match word {
            "true" => Shape::Boolean(true),
            "false" => Shape::Boolean(false),
            "null" => return Err(null(span)),
            "in" => return Err(self.unexpected(OPERAND)),
            reserved if RESERVED.contains(&reserved) => return Err(self.unexpected(OPERAND)),
            name => Shape::Name(name.to_owned()),
        };
        self.at += 1;
        if matches!(shape, Shape::Name(_)) && self.eat("(").is_some() {
            let (arguments, end) = self.list(")", usize::MAX)?;
            return Ok(call(word, span, None, arguments, end));
        }
        Ok(Node { shape, span })
    }

    /// Expressions with commas between them, up to the closing bracket. A list may end in a comma.
    fn list(&mut self, closing: &str, most: usize) -> Parsed<(Vec<Node>, Span)> {
        let mut elements = Vec::new();
        if let Some(end) = self.eat(closing) {
            return Ok((elements, end));
        }
        loop {
            let element = self.expression()?;
            if elements.len() >= most {
                return Err(too_many(element.span));
            }
            elements.push(element);
            if let Some(end) = self.eat(closing) {
                return Ok((elements, end));
            }
            if self.eat(",").is_none() {
                return Err(self.unexpected(&format!("`,` or `{closing}`")));
            }
            let ended = (closing == "]").then(|| self.eat(closing)).flatten();
            if let Some(end) = ended {
                return Ok((elements, end));
            }
        }
    }

    /// Where the next word begins, or the source ends.
    fn here(&self) -> usize {
        self.peek()
            .map_or(self.source.len(), |token| token.span.start)
    }

    fn unexpected(&self, expected: &str) -> Problem {
        let at = self.here();
        let Some(token) = self.peek() else {
            let help = if self.tokens.is_empty() {
                "write a condition, such as `coverage < 80`"
            } else {
                "write what is missing at the end"
            };
            return Problem::new(at, "the expression ends too early")
                .found("the end")
                .expected(expected)
                .help(help);
        };
        let found = token.span.quoted(self.source);
        Problem::new(at, format!("{found} can't stand here"))
            .found(found)
            .expected(expected)
            .help(help_with(&token.lexeme))
    }

    fn too_deep(&self) -> Problem {
        Problem::new(self.here(), "the expression is nested too deeply")
            .found(format!("more than {MAX_DEPTH} levels"))
            .expected(format!(
                "at most {MAX_DEPTH} brackets, signs, calls and choices in each other"
            ))
            .help("write several triggers instead of one")
    }

    fn chained(&self, before: Span, at: Span) -> Problem {
        Problem::new(at.start, "comparisons can't be chained")
            .found(format!(
                "{} behind {}",
                at.quoted(self.source),
                before.quoted(self.source)
            ))
            .expected("one comparison, or several with `&&` between them")
            .help("write `1 < x && x < 5` for `1 < x < 5`")
    }
}

fn percent(at: Span) -> Problem {
    Problem::new(at.start, "`%` means nothing here")
        .found("`%`")
        .expected(OPERATOR)
        .help("write a percentage as a number alone, `80` for `80%`; the remainder of a division isn't available, since numbers needn't be whole")
}

fn call(name: &str, at: Span, receiver: Option<Node>, arguments: Vec<Node>, end: Span) -> Node {
    let start = receiver.as_ref().map_or(at, |receiver| receiver.span);
    let call = Call {
        name: name.to_owned(),
        at,
        receiver,
        arguments,
    };
    Node {
        shape: Shape::Call(Box::new(call)),
        span: start.to(end),
    }
}

fn null(span: Span) -> Problem {
    Problem::new(span.start, "`null` can't be used in an expression")
        .found("`null`")
        .expected("a number, a text, `true` or `false`")
        .help("say with `on_missing` of the signal what follows where there is no value")
}

fn too_many(span: Span) -> Problem {
    Problem::new(span.start, "the list is too long")
        .found(format!("more than {MAX_ELEMENTS} elements"))
        .expected(format!("at most {MAX_ELEMENTS}"))
        .help("compare with the other values, or write several triggers")
}

fn help_with(lexeme: &Lexeme<'_>) -> String {
    let fixed = match lexeme {
        Lexeme::Word("and" | "AND" | "And") => "write `&&` for `and`",
        Lexeme::Word("or" | "OR" | "Or") => "write `||` for `or`",
        Lexeme::Word("not" | "NOT" | "Not") => "write `!` for `not`, or `!(x in [...])`",
        Lexeme::Word("is") => "write `==` for `is`",
        Lexeme::Word("if" | "then" | "else") => "write a choice as `condition ? this : that`",
        Lexeme::Sign("[") => "write a list only behind `in`; nothing here has elements",
        Lexeme::Sign("{" | "}") => "remove the braces: there are no maps here",
        Lexeme::Sign(")" | "]") => "remove it, or write the bracket that it closes",
        Lexeme::Sign("?" | ":") => {
            "write a choice as `condition ? this : that`, in brackets where it stands in another"
        }
        Lexeme::Word(word) if RESERVED.contains(word) => "use another name: CEL keeps this word",
        Lexeme::Word(word) => {
            return format!("write an operator before {}, or remove it", quoted(word));
        }
        Lexeme::Number(_) | Lexeme::Text(_) => "write an operator before it, or remove it",
        Lexeme::Sign(_) => "write what is missing before it, or remove it",
    };
    fixed.to_owned()
}
