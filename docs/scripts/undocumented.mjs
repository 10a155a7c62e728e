import { ReflectionKind } from 'typedoc';

const KINDS =
  ReflectionKind.Class |
  ReflectionKind.Interface |
  ReflectionKind.TypeAlias |
  ReflectionKind.Variable |
  ReflectionKind.CallSignature |
  ReflectionKind.GetSignature |
  ReflectionKind.Property;
const OPTIONS = /(?:Options|Spec|Resources|Volume|Mount)$/;

/**
 * Returns what the packages export without a doc comment: functions, classes with their methods, types, and the fields of options.
 * typedoc's own check has no kind for the latter alone.
 */
export function undocumented(project) {
  return project
    .getReflectionsByKind(KINDS)
    .filter((each) => !each.hasComment() && isPublic(each) && !(each.kindOf(ReflectionKind.Property) && !isOption(each)))
    .map((each) => each.getFullName().replace('/src.', ': '));
}

/** Fields of other types, such as the fields of an op, have the names of the man page of its system call. */
const isOption = ({ parent, type }) =>
  parent?.kindOf(ReflectionKind.Interface) && OPTIONS.test(parent.name) && !type?.declaration?.signatures?.some((each) => each.hasComment());

/** Types that have no name are described where they are used. Methods with an underscore are those of Node's classes. */
const isPublic = (each) => !each.getFullName().includes('__type') && !each.name.startsWith('_');
