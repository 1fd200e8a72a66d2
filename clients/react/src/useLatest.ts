import { useEffect, useRef, type RefObject } from 'react';

/** The value of the latest render, for callbacks that outlive one. Call it before the hook whose effect reads it. */
export function useLatest<T>(value: T): RefObject<T> {
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  });
  return latest;
}
