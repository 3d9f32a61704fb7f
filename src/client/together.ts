/** A daemon reads no longer body together with the request to hand the connection over; in characters of JSON. */
const LONGEST_TOGETHER = 16 * 1024;

/** Whether a body may be sent with such a request. */
export const isShortBody = (body: unknown): boolean => JSON.stringify(body).length <= LONGEST_TOGETHER;
