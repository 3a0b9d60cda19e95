// Has the browser remember a visitor's workspace for a year, for this server only.
const SECONDS = 365 * 24 * 3600;

export default function ({ data }) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${data.name}=${data.value}; Max-Age=${SECONDS}; Path=/; SameSite=Lax${secure}`;
}
