// What the page's monitor is made of, as text.

import type { ReactNode } from 'react';

export const Dashboard = ({ children }: { children: ReactNode }) => <div>{children}</div>;

export const MetricCard = ({ title, value, total }: { title: string; value: number; total?: number }) => (
  <p>{`${title}: ${value}${total === undefined ? '' : ` of ${total}`}`}</p>
);

export const LatencyChart = ({ data }: { data: readonly number[] }) => <p>{`Latency: ${data.length > 0 ? 'measured' : 'none'}`}</p>;

export const ErrorLog = ({ errors }: { errors: readonly { message: string }[] }) => (
  <p>{`Errors: ${errors.map(({ message }) => message).join(', ') || 'none'}`}</p>
);
