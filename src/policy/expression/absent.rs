//! What stands in for expressions in a build without the feature `cel`: each is refused, so that
//! none is taken for one that holds or doesn't.

use std::convert::Infallible;

use super::{Kind, Operand, Problem};

/// There is none.
#[derive(Debug, Clone)]
pub(super) struct Program(Infallible);

pub(super) fn compile(
    _source: &str,
    _names: &[(String, Kind)],
) -> Result<(Program, Vec<String>), Vec<Problem>> {
    Err(vec![Problem {
        offset: 0,
        message: "this build can't evaluate conditions in CEL".to_owned(),
        found: "an expression, in a program built without the feature `cel`".to_owned(),
        expected: "a comparison in the document's own keys".to_owned(),
        help: "build the program with its default features (`cargo build --release`), or write the trigger as a comparison".to_owned(),
    }])
}

impl Program {
    pub(super) fn as_comparison(&self) -> Option<String> {
        match self.0 {}
    }

    pub(super) fn lines(&self, _lines: &mut [(String, Vec<f64>)]) -> bool {
        match self.0 {}
    }

    pub(super) fn holds<'a>(&self, _value: &dyn Fn(&str) -> Operand<'a>) -> Result<bool, String> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expression;

    #[test]
    fn a_build_without_cel_refuses_and_says_how_to_get_one() {
        let problems = Expression::parse("true", &[]).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].help.contains("default features"));
    }
}
