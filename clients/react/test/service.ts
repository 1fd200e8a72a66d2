// The service of the pages, at the page's own address: host and port are the test's.

import { WebSocketService as Service } from '@boardcast/client';

export class WebSocketService extends Service {
  constructor() {
    super(location.origin, { projects: ['p'] });
  }
}
