// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are this file's subject
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are this file's subject
const CONTROL_BUT_LAYOUT = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

const shown = (control: string) => `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`;

/** Text of one cell: names, labels and commands come from images and must not drive the terminal. */
export function cleanCell(text: string): string {
  return text.replace(CONTROL, shown);
}

/** Text of several lines: line ends and tabs stay, all other control characters are spelt out. */
export function cleanText(text: string): string {
  return text.replace(CONTROL_BUT_LAYOUT, shown);
}
