// What the page's monitor leaves to the application.

import type { ReactNode } from 'react';

export function Dashboard({ children }: { children: ReactNode }) {
  return <div>{children}</div>;
}

export function MetricCard({ title, value, total }: { title: string; value: number; total?: number }) {
  return <p>{`${title}: ${title === 'Messages/sec' ? (value > 0 ? 'busy' : 'quiet') : value}${total === undefined ? '' : ` of ${total}`};`}</p>;
}

export function LatencyChart({ data }: { data: readonly number[] }) {
  return <p>{`${data.length} latencies`}</p>;
}

export function ErrorLog({ errors }: { errors: readonly { message: string }[] }) {
  return <p>{`errors: ${errors.map(({ message }) => message).join()};`}</p>;
}
