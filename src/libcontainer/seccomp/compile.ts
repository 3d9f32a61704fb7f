import { Fault } from "#errors";
import type { SeccompProfile } from "../spec.ts";
import { KILL_PROCESS } from "./actions.ts";
import { BPF, type Label, MAX_INSTRUCTIONS, ReverseAssembler } from "./bpf.ts";
import { writeCondition } from "./conditions.ts";
import { type Convention, conventionsOf } from "./numbers.ts";
import { type Span, spansOf } from "./spans.ts";

/** Offsets in struct seccomp_data. Source: Linux, include/uapi/linux/seccomp.h. */
const NUMBER = 0;
const ARCHITECTURE = 4;

/** What x32 numbers have in common. */
const X32_BIT = 0x4000_0000;

const programs = new WeakMap<SeccompProfile, Uint8Array>();

/**
 * An array of struct sock_filter for this machine's calling conventions. Compiled once for each profile object:
 * the default profile of a capability set is one object, so that a start costs a look-up. Throws `unsupported`
 * on an architecture without tables, `invalid` for an unknown action or a profile too long for the kernel.
 */
export function compileSeccomp(profile: SeccompProfile): Uint8Array {
  const program = programs.get(profile) ?? compileFor(profile, process.arch);
  programs.set(profile, program);
  return program;
}

/** As compileSeccomp, for an architecture in node's words: `x64`, `arm64`. */
export function compileFor(profile: SeccompProfile, architecture: string): Uint8Array {
  const conventions = wantedConventions(profile, architecture);
  const assembler = new ReverseAssembler();
  let entry = assembler.return(KILL_PROCESS);
  for (const audit of new Set(conventions.map((one) => one.audit))) {
    const group = conventions.filter((one) => one.audit === audit);
    entry = assembler.branch(BPF.JUMP_EQUAL, audit, {
      yes: writeGroup(assembler, profile, group),
      no: entry,
    });
  }
  assembler.before(BPF.LOAD, ARCHITECTURE, entry);
  const bytes = assembler.bytes();
  if (bytes.length <= MAX_INSTRUCTIONS * 8) return bytes;
  throw new Fault(
    "invalid",
    `Cannot use the seccomp profile: it takes ${bytes.length / 8} instructions and the kernel allows ${MAX_INSTRUCTIONS}`,
  );
}

/** The native convention last, for what is written last is tested first. */
function wantedConventions(profile: SeccompProfile, architecture: string): readonly Convention[] {
  const [native, ...others] = conventionsOf(architecture);
  if (native === undefined)
    throw new Fault(
      "unsupported",
      `Cannot filter system calls on ${architecture}: there is no table of them`,
    );
  return [...others.filter(({ name }) => profile.architectures?.includes(name) !== false), native].toSorted(
    (one, other) => Number(one.audit === native.audit) - Number(other.audit === native.audit),
  );
}

/** The conventions that share one `arch`; their numbers do not overlap, so that one tree serves them all. */
function writeGroup(
  assembler: ReverseAssembler,
  profile: SeccompProfile,
  group: readonly Convention[],
): Label {
  const spans = group
    .flatMap((convention) => spansOf(profile, convention))
    .sort((one, other) => one.from - other.from);
  const isX32Unwanted = group.length === 1 && group[0]?.name === "SCMP_ARCH_X86_64";
  const refused: Span[] = isX32Unwanted ? [{ from: X32_BIT, rules: [], action: KILL_PROCESS }] : [];
  return assembler.before(BPF.LOAD, NUMBER, writeTree(assembler, [...spans, ...refused]));
}

/** A search by halves for the span that holds the number in the accumulator. */
function writeTree(assembler: ReverseAssembler, spans: readonly Span[]): Label {
  const middle = spans.length >> 1;
  const pivot = spans[middle];
  if (pivot === undefined) throw new Fault("internal", "Cannot compile a seccomp profile without spans");
  if (spans.length === 1) return writeSpan(assembler, pivot);
  const above = writeTree(assembler, spans.slice(middle));
  const below = writeTree(assembler, spans.slice(0, middle));
  return assembler.branch(BPF.JUMP_GREATER_OR_EQUAL, pivot.from, { yes: above, no: below });
}

function writeSpan(assembler: ReverseAssembler, span: Span): Label {
  return span.rules.reduceRight<Label>((next, { action, conditions }) => {
    const applies = assembler.return(action);
    return conditions.reduceRight<Label>(
      (yes, condition) => writeCondition(assembler, condition, { yes, no: next }),
      applies,
    );
  }, assembler.return(span.action));
}
