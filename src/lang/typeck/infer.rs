//! Types that are not known yet, and making two of them the same.
//!
//! A type is a set of dtypes that shrinks as more becomes known, a tuple, or anything. A number without suffix starts
//! as the set of all dtypes that could hold it and takes its default where nothing narrows that down.

use crate::hir::Type;
use ufc_ir::{DType, TypeSet};

/// A type, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ty(u32);

#[derive(Clone, Debug)]
enum Node {
    Same(Ty),
    Any,
    Scalar(TypeSet, Option<Lit>),
    Tuple(Vec<Ty>),
    Error,
}

/// Which kind of number without suffix a type comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lit {
    Int,
    Float,
}

/// What is known of a type.
#[derive(Clone, Debug)]
pub(super) enum Known {
    Any,
    Scalar(TypeSet),
    Tuple(Vec<Ty>),
    Error,
}

impl Known {
    /// Whether it may be this dtype.
    pub(super) fn has(&self, dtype: DType) -> bool {
        matches!(self, Known::Scalar(set) if set.contains(dtype))
    }
}

/// All types of one body.
#[derive(Debug, Default)]
pub(super) struct Types {
    nodes: Vec<Node>,
}

impl Types {
    fn add(&mut self, node: Node) -> Ty {
        self.nodes.push(node);
        Ty(self.nodes.len() as u32 - 1)
    }

    pub(super) fn any(&mut self) -> Ty {
        self.add(Node::Any)
    }

    pub(super) fn error(&mut self) -> Ty {
        self.add(Node::Error)
    }

    pub(super) fn dtype(&mut self, dtype: DType) -> Ty {
        self.set(TypeSet::one(dtype))
    }

    pub(super) fn set(&mut self, set: TypeSet) -> Ty {
        self.add(Node::Scalar(set, None))
    }

    pub(super) fn literal(&mut self, lit: Lit) -> Ty {
        let set = match lit {
            Lit::Int => TypeSet::NUM,
            Lit::Float => TypeSet::FIELD,
        };
        self.add(Node::Scalar(set, Some(lit)))
    }

    pub(super) fn tuple(&mut self, members: Vec<Ty>) -> Ty {
        self.add(Node::Tuple(members))
    }

    pub(super) fn unit(&mut self) -> Ty {
        self.tuple(Vec::new())
    }

    fn root(&mut self, mut ty: Ty) -> Ty {
        while let Node::Same(next) = self.nodes[ty.0 as usize] {
            if let Node::Same(after) = self.nodes[next.0 as usize] {
                self.nodes[ty.0 as usize] = Node::Same(after);
            }
            ty = next;
        }
        ty
    }

    pub(super) fn known(&mut self, ty: Ty) -> Known {
        let root = self.root(ty);
        match &self.nodes[root.0 as usize] {
            Node::Any | Node::Same(_) => Known::Any,
            Node::Scalar(set, _) => Known::Scalar(*set),
            Node::Tuple(members) => Known::Tuple(members.clone()),
            Node::Error => Known::Error,
        }
    }

    pub(super) fn is_error(&mut self, ty: Ty) -> bool {
        match self.known(ty) {
            Known::Error => true,
            Known::Tuple(members) => members.into_iter().any(|m| self.is_error(m)),
            Known::Any | Known::Scalar(_) => false,
        }
    }

    /// Whether it is a number without suffix whose dtype is still open.
    pub(super) fn lit(&mut self, ty: Ty) -> Option<Lit> {
        let root = self.root(ty);
        match self.nodes[root.0 as usize] {
            Node::Scalar(set, lit) if set.iter().nth(1).is_some() => lit,
            _ => None,
        }
    }

    /// The dtype, once it is known.
    pub(super) fn concrete(&mut self, ty: Ty) -> Option<DType> {
        match self.known(ty) {
            Known::Scalar(set) => {
                let mut members = set.iter();
                members.next().filter(|_| members.next().is_none())
            }
            _ => None,
        }
    }

    /// Makes both the same; false if they cannot be. Types of errors fit everything.
    pub(super) fn unify(&mut self, a: Ty, b: Ty) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return true;
        }
        let merged = match (
            self.nodes[a.0 as usize].clone(),
            self.nodes[b.0 as usize].clone(),
        ) {
            (Node::Error, _) | (_, Node::Error) => return true,
            (Node::Any, Node::Any) => Node::Any,
            (Node::Any, other) if !self.contains(b, a) => other,
            (other, Node::Any) if !self.contains(a, b) => other,
            (Node::Scalar(one, x), Node::Scalar(two, y)) => {
                let both = one.and(two);
                if both.is_empty() {
                    return false;
                }
                let lit = if x == Some(Lit::Float) { x } else { y.or(x) };
                Node::Scalar(both, lit)
            }
            (Node::Tuple(one), Node::Tuple(two)) => {
                return one.len() == two.len()
                    && one.into_iter().zip(two).all(|(x, y)| self.unify(x, y));
            }
            _ => return false,
        };
        self.nodes[a.0 as usize] = merged;
        self.nodes[b.0 as usize] = Node::Same(a);
        true
    }

    /// Whether `part` is the type itself or inside it, which no finite type allows where they are to be the same.
    fn contains(&mut self, whole: Ty, part: Ty) -> bool {
        let mut open = vec![whole];
        while let Some(ty) = open.pop() {
            let root = self.root(ty);
            if root == part {
                return true;
            }
            if let Node::Tuple(members) = &self.nodes[root.0 as usize] {
                open.extend(members);
            }
        }
        false
    }

    /// How many numbers it has, counting up to a limit.
    pub(super) fn width(&mut self, ty: Ty, limit: usize) -> usize {
        let (mut open, mut count, mut steps) = (vec![ty], 0, 0);
        while let Some(ty) = open.pop() {
            steps += 1;
            match self.known(ty) {
                Known::Tuple(members) => open.extend(members),
                Known::Any | Known::Scalar(_) | Known::Error => count += 1,
            }
            if count > limit || steps > 4 * limit {
                return limit + 1;
            }
        }
        count
    }

    /// Leaves only the dtypes of a set; false if none remains or it is a tuple.
    pub(super) fn restrict(&mut self, ty: Ty, set: TypeSet) -> bool {
        let root = self.root(ty);
        match self.nodes[root.0 as usize] {
            Node::Scalar(old, lit) => {
                let both = old.and(set);
                if !both.is_empty() {
                    self.nodes[root.0 as usize] = Node::Scalar(both, lit);
                }
                !both.is_empty()
            }
            Node::Any => {
                self.nodes[root.0 as usize] = Node::Scalar(set, None);
                true
            }
            Node::Error => true,
            Node::Tuple(_) | Node::Same(_) => false,
        }
    }

    /// Gives an open number its default dtype; false if there is nothing to decide.
    pub(super) fn decide(&mut self, ty: Ty) -> bool {
        let root = self.root(ty);
        let Some(lit) = self.lit(root) else {
            return false;
        };
        let Node::Scalar(set, _) = self.nodes[root.0 as usize] else {
            return false;
        };
        let order: &[DType] = match lit {
            Lit::Int => &[DType::I32, DType::I64, DType::F64, DType::C128, DType::F32],
            Lit::Float => &[DType::F64, DType::C128, DType::F32],
        };
        let chosen = order
            .iter()
            .copied()
            .find(|d| set.contains(*d))
            .or_else(|| set.iter().next());
        if let Some(dtype) = chosen {
            self.nodes[root.0 as usize] = Node::Scalar(TypeSet::one(dtype), Some(lit));
        }
        chosen.is_some()
    }

    /// Gives every open number its default.
    pub(super) fn decide_all(&mut self) {
        for i in 0..self.nodes.len() as u32 {
            if matches!(self.nodes[i as usize], Node::Scalar(_, Some(_))) {
                self.decide(Ty(i));
            }
        }
    }

    /// The type as the typed tree has it; none if it is not known. What could be anything is `()`.
    pub(super) fn finish(&mut self, ty: Ty) -> Option<Type> {
        match self.known(ty) {
            Known::Any => Some(Type::unit()),
            Known::Scalar(_) => self.concrete(ty).map(Type::Scalar),
            Known::Tuple(members) => {
                let members: Option<Vec<Type>> =
                    members.into_iter().map(|m| self.finish(m)).collect();
                members.map(|m| Type::Tuple(m.into()))
            }
            Known::Error => None,
        }
    }

    /// Makes it a type about which an error has been reported.
    pub(super) fn poison(&mut self, ty: Ty) {
        let root = self.root(ty);
        self.nodes[root.0 as usize] = Node::Error;
    }

    /// How messages name it.
    pub(super) fn show(&mut self, ty: Ty) -> String {
        match (self.known(ty), self.lit(ty)) {
            (Known::Scalar(set), Some(Lit::Int)) if !set.is_subset(TypeSet::FIELD) => {
                "an integer".to_string()
            }
            (Known::Scalar(_), Some(_)) => "a float".to_string(),
            (Known::Scalar(set), None) => match (self.concrete(ty), set.name()) {
                (Some(dtype), _) => dtype.to_string(),
                (None, Some(name)) => format!("a type of {name}"),
                (None, None) => set.to_string(),
            },
            (Known::Tuple(members), _) if members.is_empty() => "`()`".to_string(),
            (Known::Tuple(members), _) => {
                let names: Vec<String> = members.into_iter().map(|m| self.show(m)).collect();
                format!("({})", names.join(", "))
            }
            (Known::Any | Known::Error, _) => "_".to_string(),
        }
    }
}
